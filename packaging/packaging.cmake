# Packages: `cpack -G DEB` in a build whose prefix is /usr (the preset debian; tools/package does both), or `cpack -G TGZ`.
set(CPACK_PACKAGE_NAME critpipe)
set(CPACK_PACKAGE_VENDOR critpipe)
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "")     # each package has its own, in the first line of its description
set(CPACK_PACKAGE_CONTACT "critpipe developers <critpipe@example.org>" CACHE STRING "Maintainer of the packages")
set(CPACK_RESOURCE_FILE_LICENSE ${PROJECT_SOURCE_DIR}/LICENSE)
set(CPACK_STRIP_FILES ON)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ
                                                WORLD_EXECUTE)
set(CPACK_COMPONENTS_ALL critpipe)
if(CRITPIPE_SHARED)
  list(APPEND CPACK_COMPONENTS_ALL library development)
endif()
if(CRITPIPE_INSTALL_CRIT)
  list(APPEND CPACK_COMPONENTS_ALL crit)
endif()

set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS_PRIVATE_DIRS ${PROJECT_BINARY_DIR}/libcodec)
set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
if(CMAKE_CROSSCOMPILING)     # dpkg-shlibdeps looks into this machine's packages
  set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS OFF)
endif()

set(CPACK_DEBIAN_CRITPIPE_PACKAGE_NAME critpipe)
set(CPACK_DEBIAN_CRITPIPE_PACKAGE_SECTION utils)
set(CPACK_COMPONENT_CRITPIPE_DESCRIPTION "filters for the checkpoint images of CRIU
critpipe is a set of small Unix filters that decode the images of CRIU
checkpoints to JSON and back byte for byte, select entries, search memory,
and list tasks, descriptors and mappings. They read directories, archives
of container engines and image streams, compressed or not, in bounded memory.")
# libarchive is loaded when an archive is read.
set(CPACK_DEBIAN_CRITPIPE_PACKAGE_DEPENDS "libarchive13 | libarchive13t64")

set(CPACK_DEBIAN_LIBRARY_PACKAGE_NAME libcritpipe0)
set(CPACK_DEBIAN_LIBRARY_PACKAGE_SECTION libs)
set(CPACK_DEBIAN_LIBRARY_PACKAGE_DEPENDS "libarchive13 | libarchive13t64")
set(CPACK_COMPONENT_LIBRARY_DESCRIPTION "library that reads the checkpoint images of CRIU
libcritpipe decodes, searches, edits and writes the images of CRIU
checkpoints as a stream, without a copy of them in memory.

This package has the shared library.")
set(CPACK_DEBIAN_LIBRARY_PACKAGE_CONTROL_EXTRA ${CMAKE_CURRENT_LIST_DIR}/triggers)

set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_NAME libcritpipe-dev)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_DEPENDS "libcritpipe0 (= ${PROJECT_VERSION})")
set(CPACK_COMPONENT_DEVELOPMENT_DESCRIPTION "library that reads the checkpoint images of CRIU: headers
libcritpipe decodes, searches, edits and writes the images of CRIU
checkpoints as a stream, without a copy of them in memory.

This package has the headers, the static library, and what CMake and
pkg-config need to find them.")

set(CPACK_DEBIAN_CRIT_PACKAGE_NAME critpipe-crit)
set(CPACK_DEBIAN_CRIT_PACKAGE_SECTION utils)
set(CPACK_DEBIAN_CRIT_PACKAGE_DEPENDS "critpipe (= ${PROJECT_VERSION})")
set(CPACK_DEBIAN_CRIT_PACKAGE_CONFLICTS "python3-pycriu, python3-criu")
set(CPACK_COMPONENT_CRIT_DESCRIPTION "replacement for the crit of CRIU
crit decodes, encodes, shows and explores the images of CRIU checkpoints.
This one takes the command lines of CRIU's own and answers them with the
programs of critpipe.")

# What Debian wants of every package, put there between installation and packing.
set(CPACK_PRE_BUILD_SCRIPTS ${CMAKE_CURRENT_BINARY_DIR}/debian_files.cmake)
configure_file(${CMAKE_CURRENT_LIST_DIR}/debian_files.cmake.in debian_files.cmake @ONLY)
include(CPack)

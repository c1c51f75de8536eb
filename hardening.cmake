# The hardening flags of distributions, for our own targets in optimised builds. tests/hardening reads from the built
# programs whether they are there.
if(NOT CRITPIPE_HARDENING)
  return()
endif()
include(CheckCXXCompilerFlag)
include(CheckPIESupported)
check_pie_supported(LANGUAGES CXX)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)

target_compile_options(critpipe_flags INTERFACE -Wformat -Werror=format-security)
set(flags -fstack-protector-strong -fstack-clash-protection)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64)$")
  # Shadow stacks only: no kernel enforces the landing pads of =full for programs, and they cost 1% of the instructions
  # that crit-tojson takes.
  list(APPEND flags -fcf-protection=return)
elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "^(aarch64|arm64)$")
  list(APPEND flags -mbranch-protection=standard)
endif()
foreach(flag IN LISTS flags)
  string(MAKE_C_IDENTIFIER "CRITPIPE_HAS${flag}" known)
  set(CMAKE_REQUIRED_FLAGS -Werror)
  check_cxx_compiler_flag(${flag} ${known})
  unset(CMAKE_REQUIRED_FLAGS)
  if(${known})
    target_compile_options(critpipe_flags INTERFACE ${flag})
  endif()
endforeach()
# Level 2 of _FORTIFY_SOURCE, as Debian 12 has it: level 3 costs 2.3% of the instructions that crit-tojson takes.
# _GLIBCXX_ASSERTIONS is taken back for the hot sources in libcodec/CMakeLists.txt. Without optimisation glibc warns that
# it cannot check for _FORTIFY_SOURCE.
target_compile_options(critpipe_flags INTERFACE
                       "$<$<NOT:$<CONFIG:Debug,>>:-U_FORTIFY_SOURCE;-D_FORTIFY_SOURCE=2>" -D_GLIBCXX_ASSERTIONS)
set(CRITPIPE_HARDENING_LINK LINKER:-z,relro LINKER:-z,now)
# All symbols are looked up at the start. What the loader does besides is kept small.
include(CheckLinkerFlag)
check_linker_flag(CXX LINKER:-z,pack-relative-relocs CRITPIPE_HAS_PACKED_RELOCATIONS)
if(CRITPIPE_HAS_PACKED_RELOCATIONS)
  list(APPEND CRITPIPE_HARDENING_LINK LINKER:-z,pack-relative-relocs)
endif()
target_link_options(critpipe_flags INTERFACE ${CRITPIPE_HARDENING_LINK})

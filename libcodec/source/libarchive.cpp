// Loading libarchive.
#include "source/libarchive.hpp"

#include <dlfcn.h>

namespace critpipe {

namespace {

struct Loaded {
  ArchiveLibrary library;
  std::string why;

  Loaded() {
    // What it leans on for formats that are not asked for (XML, ICU) is not bound: that takes longer than all the rest.
    void* handle = dlopen("libarchive.so.13", RTLD_LAZY | RTLD_LOCAL);
    if (!handle) {
      const char* text = dlerror();
      why = text ? text : "no libarchive.so.13";
      return;
    }
#define X(function) load(handle, #function, library.function);
    CRITPIPE_ARCHIVE_FUNCTIONS(X)
#undef X
  }

  template <typename Function>
  void load(void* handle, const char* name, Function& function) {
    function = reinterpret_cast<Function>(dlsym(handle, name));
    if (!function && why.empty()) why = std::string{"libarchive.so.13 lacks "} + name;
  }
};

}  // namespace

const ArchiveLibrary* archive_library(std::string& why) {
  static const Loaded loaded;
  why = loaded.why;
  return loaded.why.empty() ? &loaded.library : nullptr;
}

}  // namespace critpipe

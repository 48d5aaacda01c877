#include "crypt_library.h"

#include <dlfcn.h>

#include <cerrno>
#include <mutex>
#include <string>

#include "errors.h"

namespace stratis {

#define STRATIS_DEFINE(function) decltype(&::function) function = nullptr;
STRATIS_CRYPT_FUNCTIONS(STRATIS_DEFINE)
#undef STRATIS_DEFINE

namespace {

constexpr const char* kLibrary = "libcryptsetup.so.12";

#if defined(__SANITIZE_ADDRESS__)
constexpr int kOwnSymbolsFirst = 0;  // AddressSanitizer refuses it
#else
constexpr int kOwnSymbolsFirst = RTLD_DEEPBIND;
#endif

std::string LoaderMessage() {
  const char* message = dlerror();
  return message == nullptr ? "" : message;
}

template <typename Function>
void Find(void* library, const char* name, Function& function) {
  void* const symbol = dlsym(library, name);
  if (symbol == nullptr) throw NativeError(ELIBACC, "dlsym", kLibrary, LoaderMessage());
  function = reinterpret_cast<Function>(symbol);
}

}  // namespace

void LoadCryptLibrary() {
  static std::once_flag once;
  std::call_once(once, [] {
    // Never unloaded: its threads and handlers are nobody's to end.
    void* const library = dlopen(kLibrary, RTLD_NOW | RTLD_LOCAL | kOwnSymbolsFirst);
    if (library == nullptr) throw NativeError(ELIBACC, "dlopen", kLibrary, LoaderMessage());
#define STRATIS_FIND(function) Find(library, #function, function);
    STRATIS_CRYPT_FUNCTIONS(STRATIS_FIND)
#undef STRATIS_FIND
  });
}

}  // namespace stratis

// UnixListener of src/native/index.ts: a socket that local clients connect to.
#pragma once

#include <napi.h>

#include "unique_fd.h"

namespace stratis {

class UnixListener final : public Napi::ObjectWrap<UnixListener> {
 public:
  static Napi::Function Define(Napi::Env env);

  explicit UnixListener(const Napi::CallbackInfo& info);

 private:
  void Listen(const Napi::CallbackInfo& info);
  Napi::Value Accept(const Napi::CallbackInfo& info);
  Napi::Value Fd(const Napi::CallbackInfo& info);
  void Close(const Napi::CallbackInfo& info);
  int OpenFd(const char* method) const;

  UniqueFd fd_;
};

}  // namespace stratis

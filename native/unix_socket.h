// UnixSocket of src/native/index.ts: a stream to a local server that carries file descriptors along.
#pragma once

#include <napi.h>

#include "unique_fd.h"

namespace stratis {

class UnixSocket final : public Napi::ObjectWrap<UnixSocket> {
 public:
  static Napi::Function Define(Napi::Env env);

  explicit UnixSocket(const Napi::CallbackInfo& info);

 private:
  // A path is connected to; a descriptor that UnixListener accepted is taken over.
  void Open(const Napi::CallbackInfo& info);
  Napi::Value Receive(const Napi::CallbackInfo& info);
  Napi::Value Send(const Napi::CallbackInfo& info);
  Napi::Value ReadableFd(const Napi::CallbackInfo& info);
  Napi::Value WritableFd(const Napi::CallbackInfo& info);
  void EndWriting(const Napi::CallbackInfo& info);
  void Close(const Napi::CallbackInfo& info);
  int OpenFd(const char* method) const;

  UniqueFd fd_;
  // A second descriptor of the same socket, because libuv watches each descriptor for one purpose only.
  UniqueFd writable_fd_;
};

}  // namespace stratis

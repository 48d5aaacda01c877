// FdPoll of src/native/index.ts: tells JavaScript that a descriptor can be read, or written.
#pragma once

#include <napi.h>
#include <node_api.h>

#include <memory>

#include "uv_abi.h"

namespace stratis {

class FdPoll final : public Napi::ObjectWrap<FdPoll> {
 public:
  static Napi::Function Define(Napi::Env env);

  explicit FdPoll(const Napi::CallbackInfo& info);
  ~FdPoll() override;

 private:
  // The libuv handle, which lives until libuv has closed it: that may be after the object is gone.
  struct Watch {
    FdPoll* owner;
    uv_poll_s* handle;
    napi_async_cleanup_hook_handle cleanup;
  };

  static void OnReady(uv_poll_s* handle, int status, int events);
  static void OnEnvironmentEnd(napi_async_cleanup_hook_handle hook, void* data);
  static void BeginClose(Watch* watch);
  static void OnClosed(uv_handle_s* handle);

  void Open(const Napi::CallbackInfo& info);
  void Start(const Napi::CallbackInfo& info);
  void Stop(const Napi::CallbackInfo& info);
  void Close(const Napi::CallbackInfo& info);
  void StartWatching();
  void StopWatching();
  void RequireOpen(const char* method) const;

  int fd_ = -1;
  int events_ = kUvReadable;
  Watch* watch_ = nullptr;  // nullptr once closed
  // Started, as far as JavaScript is concerned. The object is then kept alive.
  bool started_ = false;
  Napi::FunctionReference callback_;
  std::unique_ptr<Napi::AsyncContext> context_;
};

}  // namespace stratis

#include "fd_poll.h"

#include <cerrno>
#include <cstdlib>
#include <new>
#include <string>

#include "convert.h"
#include "errors.h"
#include "module.h"
#include "promise.h"

namespace stratis {

namespace {

std::string DescriptorName(int fd) { return "file descriptor " + std::to_string(fd); }

// libuv returns errno values negated.
void CheckUv(int status, const char* call, int fd) {
  if (status < 0) throw NativeError(-status, call, DescriptorName(fd));
}

}  // namespace

Napi::Function FdPoll::Define(Napi::Env env) {
  return DefineClass(env, "FdPoll",
                     {InstanceMethod("start", &FdPoll::Start), InstanceMethod("stop", &FdPoll::Stop),
                      InstanceMethod("close", &FdPoll::Close)});
}

FdPoll::FdPoll(const Napi::CallbackInfo& info) : Napi::ObjectWrap<FdPoll>(info) {
  Guarded(info.Env(), "FdPoll", [&] { Open(info); });
}

void FdPoll::Open(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  fd_ = static_cast<int>(ToUint32(info[0], {"FdPoll", "fd"}, INT32_MAX));
  if (!info[1].IsFunction()) throw InvalidArgument("FdPoll", "onReady", "it is not a function");
  if (!info[2].IsUndefined() && ToBool(info[2], {"FdPoll", "writable"})) events_ = kUvWritable;
  callback_ = Napi::Persistent(info[1].As<Napi::Function>());
  context_ = std::make_unique<Napi::AsyncContext>(env, "FdPoll");

  uv_loop_s* loop = nullptr;
  if (napi_get_uv_event_loop(env, &loop) != napi_ok)
    throw NativeError(EINVAL, "napi_get_uv_event_loop", DescriptorName(fd_));
  auto* handle = static_cast<uv_poll_s*>(std::calloc(1, uv_handle_size(kUvPollHandle)));
  if (handle == nullptr) throw std::bad_alloc();
  const int status = uv_poll_init(loop, handle, fd_);
  if (status < 0) std::free(handle);
  CheckUv(status, "uv_poll_init", fd_);

  watch_ = new Watch{this, handle, nullptr};
  uv_handle_set_data(reinterpret_cast<uv_handle_s*>(handle), watch_);
  // Asynchronous, because the environment must not end before libuv has let go of the handle.
  if (napi_add_async_cleanup_hook(env, OnEnvironmentEnd, watch_, &watch_->cleanup) != napi_ok) {
    watch_->cleanup = nullptr;
    BeginClose(watch_);
    throw NativeError(EINVAL, "napi_add_async_cleanup_hook", DescriptorName(fd_));
  }
}

FdPoll::~FdPoll() {
  // Collected without having been closed; it can't be started, since that keeps it alive.
  if (watch_ != nullptr) BeginClose(watch_);
}

void FdPoll::BeginClose(Watch* watch) {
  if (watch->owner == nullptr) return;
  watch->owner->watch_ = nullptr;
  watch->owner = nullptr;
  uv_close(reinterpret_cast<uv_handle_s*>(watch->handle), OnClosed);
}

void FdPoll::OnClosed(uv_handle_s* handle) {
  auto* watch = static_cast<Watch*>(uv_handle_get_data(handle));
  if (watch->cleanup != nullptr) napi_remove_async_cleanup_hook(watch->cleanup);
  std::free(watch->handle);
  delete watch;
}

void FdPoll::OnEnvironmentEnd(napi_async_cleanup_hook_handle, void* data) {
  // Where a close is under way already, OnClosed reports its end all the same.
  BeginClose(static_cast<Watch*>(data));
}

void FdPoll::OnReady(uv_poll_s* handle, int status, int) {
  auto* watch = static_cast<Watch*>(uv_handle_get_data(reinterpret_cast<uv_handle_s*>(handle)));
  FdPoll* self = watch->owner;
  if (self == nullptr) return;
  const Napi::Env env = self->Env();
  const Napi::HandleScope scope(env);
  // The callback may close the object, and JavaScript may drop it: it must outlast this function.
  const Napi::Object keep = self->Value();
  try {
    self->callback_.MakeCallback(keep, {}, *self->context_);
  } catch (const Napi::Error& error) {
    // Same end as an exception in any other event handler: "uncaughtException".
    napi_fatal_exception(env, error.Value());
  }
  // An error state of the descriptor, such as a netlink socket that lost messages, makes libuv stop watching. Reading
  // tells the owner about it and clears it, so that readiness is worth watching for again.
  if (status < 0 && self->watch_ != nullptr && self->started_) self->StartWatching();
}

void FdPoll::RequireOpen(const char* method) const {
  if (watch_ == nullptr)
    throw NativeError(EBADF, std::string("FdPoll.") + method, DescriptorName(fd_), "the FdPoll is closed");
}

void FdPoll::StartWatching() { CheckUv(uv_poll_start(watch_->handle, events_, OnReady), "uv_poll_start", fd_); }

void FdPoll::StopWatching() {
  if (!started_) return;
  started_ = false;
  Unref();
}

void FdPoll::Start(const Napi::CallbackInfo& info) {
  Guarded(info.Env(), "FdPoll.start", [&] {
    RequireOpen("start");
    StartWatching();
    if (started_) return;
    started_ = true;
    Ref();
  });
}

void FdPoll::Stop(const Napi::CallbackInfo& info) {
  Guarded(info.Env(), "FdPoll.stop", [&] {
    RequireOpen("stop");
    // libuv would ask the kernel all the same.
    if (!started_) return;
    CheckUv(uv_poll_stop(watch_->handle), "uv_poll_stop", fd_);
    StopWatching();
  });
}

void FdPoll::Close(const Napi::CallbackInfo&) {
  // Closing twice is harmless: owners close in the clean-up of failures too.
  if (watch_ == nullptr) return;
  BeginClose(watch_);
  StopWatching();
  callback_.Reset();
}

void InitFdPoll(Napi::Env env, Napi::Object exports) { exports.Set("FdPoll", FdPoll::Define(env)); }

}  // namespace stratis

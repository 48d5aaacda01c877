#include "unix_listener.h"

#include <sys/socket.h>
#include <sys/stat.h>

#include <cerrno>
#include <string>

#include "convert.h"
#include "errors.h"
#include "module.h"
#include "promise.h"
#include "socket_address.h"

namespace stratis {

namespace {

constexpr const char* kTarget = "the listening socket";
constexpr int kBacklog = 64;
constexpr mode_t kOwnerOnly = S_IRUSR | S_IWUSR;

// The connection went before it was accepted: the next one is looked for. The rest of what accept4 can return is about
// this process or the listening socket.
bool IsOfOneConnection(int error) { return error == ECONNABORTED || error == EPROTO || error == EINTR; }

}  // namespace

Napi::Function UnixListener::Define(Napi::Env env) {
  return DefineClass(env, "UnixListener",
                     {InstanceMethod("accept", &UnixListener::Accept), InstanceMethod("close", &UnixListener::Close),
                      InstanceAccessor("fd", &UnixListener::Fd, nullptr)});
}

UnixListener::UnixListener(const Napi::CallbackInfo& info) : Napi::ObjectWrap<UnixListener>(info) {
  Guarded(info.Env(), "UnixListener", [&] { Listen(info); });
}

void UnixListener::Listen(const Napi::CallbackInfo& info) {
  const SocketAddress address = SocketAddress::FromJs(info[0], {"UnixListener", "path"});
  UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) throw NativeError(errno, "socket", address.text);
  if (bind(fd.get(), address.get(), address.length) != 0) throw NativeError(errno, "bind", address.text);
  // Before anybody can connect, which takes a socket that listens.
  if (!address.is_abstract() && chmod(address.value.sun_path, kOwnerOnly) != 0)
    throw NativeError(errno, "chmod", address.text);
  if (listen(fd.get(), kBacklog) != 0) throw NativeError(errno, "listen", address.text);
  fd_ = std::move(fd);
}

int UnixListener::OpenFd(const char* method) const {
  if (!fd_) throw NativeError(EBADF, std::string("UnixListener.") + method, kTarget, "it is closed");
  return fd_.get();
}

Napi::Value UnixListener::Accept(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  return Guarded(env, "UnixListener.accept", [&]() -> Napi::Value {
    const int listening = OpenFd("accept");
    int accepted = -1;
    do {
      accepted = accept4(listening, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
    } while (accepted < 0 && IsOfOneConnection(errno));
    if (accepted < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return env.Null();
    if (accepted < 0) throw NativeError(errno, "accept4", kTarget);
    UniqueFd fd(accepted);
    ucred peer = {};
    socklen_t size = sizeof peer;
    if (getsockopt(fd.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0)
      throw NativeError(errno, "getsockopt", "an accepted connection");
    Napi::Object result = Napi::Object::New(env);
    result.Set("fd", Napi::Number::New(env, fd.get()));
    result.Set("pid", Napi::Number::New(env, peer.pid));
    result.Set("uid", Napi::Number::New(env, peer.uid));
    // From here on JavaScript owns it.
    fd.release();
    return result;
  });
}

Napi::Value UnixListener::Fd(const Napi::CallbackInfo& info) {
  return Guarded(info.Env(), "UnixListener.fd", [&]() -> Napi::Value {
    return Napi::Number::New(info.Env(), OpenFd("fd"));
  });
}

// Twice is harmless: owners close in the clean-up of failures too.
void UnixListener::Close(const Napi::CallbackInfo&) { fd_.reset(); }

void InitUnixListener(Napi::Env env, Napi::Object exports) { exports.Set("UnixListener", UnixListener::Define(env)); }

}  // namespace stratis

#include "unix_socket.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "convert.h"
#include "errors.h"
#include "module.h"
#include "promise.h"
#include "secret_handle.h"
#include "socket_address.h"

namespace stratis {

namespace {

constexpr const char* kTarget = "the socket";
// The kernel's own limit for one message (SCM_MAX_FD).
constexpr size_t kMostDescriptors = 253;
constexpr uint32_t kMostBytesAtOnce = 1 << 20;
constexpr size_t kMostPipeBytes = 4096;

// Room for the descriptors of one message, aligned as the kernel wants it.
struct ControlBuffer {
  alignas(cmsghdr) char bytes[CMSG_SPACE(kMostDescriptors * sizeof(int))];
};

std::vector<int> TakeDescriptors(msghdr& message) {
  std::vector<int> descriptors;
  for (cmsghdr* part = CMSG_FIRSTHDR(&message); part != nullptr; part = CMSG_NXTHDR(&message, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
    const size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < count; i++) {
      int descriptor = -1;
      std::memcpy(&descriptor, CMSG_DATA(part) + i * sizeof(int), sizeof descriptor);
      descriptors.push_back(descriptor);
    }
  }
  return descriptors;
}

std::vector<UniqueFd> Own(const std::vector<int>& descriptors) {
  std::vector<UniqueFd> owned;
  owned.reserve(descriptors.size());
  for (const int descriptor : descriptors) owned.emplace_back(descriptor);
  return owned;
}

std::vector<int> ToDescriptors(const Napi::Value& value, const ArgumentName& name) {
  std::vector<int> descriptors;
  if (value.IsUndefined()) return descriptors;
  Napi::Array array = ToArray(value, name, kMostDescriptors);
  for (uint32_t i = 0; i < array.Length(); i++)
    descriptors.push_back(static_cast<int>(ToUint32(array.Get(i), name.Element(i), INT32_MAX)));
  return descriptors;
}

// A pipe that holds `data`: the reading end to send away, the writing end to keep open until the answer has come.
Napi::Value PipeWith(const Napi::CallbackInfo& info) {
  constexpr const char* kName = "pipeWith";
  Napi::Env env = info.Env();
  return Guarded(env, kName, [&]() -> Napi::Value {
    const bool is_secret = IsSecret(info[0]);
    const std::shared_ptr<const Secret> secret = is_secret ? ToSecret(info[0], {kName, "data"}) : nullptr;
    const auto [bytes, size] =
        is_secret ? std::pair{secret->data(), secret->size()} : ToBytes(info[0], {kName, "data"});
    // A pipe takes this much at once in any case (PIPE_BUF).
    if (size > kMostPipeBytes) throw InvalidArgument(kName, "data", "it has " + std::to_string(size) + " bytes");
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) throw NativeError(errno, "pipe2", "a pipe for a key");
    UniqueFd read_end(ends[0]);
    UniqueFd write_end(ends[1]);
    ssize_t length = 0;
    if (size > 0) do {
        length = write(write_end.get(), bytes, size);
      } while (length < 0 && errno == EINTR);
    if (length != static_cast<ssize_t>(size)) throw NativeError(length < 0 ? errno : EIO, "write", "a pipe for a key");
    Napi::Object result = Napi::Object::New(env);
    result.Set("readEnd", Napi::Number::New(env, read_end.get()));
    result.Set("writeEnd", Napi::Number::New(env, write_end.get()));
    read_end.release();
    write_end.release();
    return result;
  });
}

void CloseDescriptor(const Napi::CallbackInfo& info) {
  constexpr const char* kName = "closeDescriptor";
  Guarded(info.Env(), kName, [&] {
    const int fd = static_cast<int>(ToUint32(info[0], {kName, "fd"}, INT32_MAX));
    // The standard streams are never anything that was received.
    if (fd <= STDERR_FILENO) throw InvalidArgument(kName, "fd", "it is a standard stream");
    if (close(fd) != 0 && errno != EINTR) throw NativeError(errno, "close", "file descriptor " + std::to_string(fd));
  });
}

}  // namespace

Napi::Function UnixSocket::Define(Napi::Env env) {
  return DefineClass(
      env, "UnixSocket",
      {InstanceMethod("receive", &UnixSocket::Receive), InstanceMethod("send", &UnixSocket::Send),
       InstanceAccessor("readableFd", &UnixSocket::ReadableFd, nullptr),
       InstanceAccessor("writableFd", &UnixSocket::WritableFd, nullptr),
       InstanceMethod("endWriting", &UnixSocket::EndWriting), InstanceMethod("close", &UnixSocket::Close)});
}

UnixSocket::UnixSocket(const Napi::CallbackInfo& info) : Napi::ObjectWrap<UnixSocket>(info) {
  Guarded(info.Env(), "UnixSocket", [&] { Open(info); });
}

void UnixSocket::Open(const Napi::CallbackInfo& info) {
  std::string target = "an accepted connection";
  if (info[0].IsNumber()) {
    const int given = static_cast<int>(ToUint32(info[0], {"UnixSocket", "fd"}, INT32_MAX));
    if (given <= STDERR_FILENO) throw InvalidArgument("UnixSocket", "fd", "it is a standard stream");
    fd_.reset(given);
  } else {
    const SocketAddress address = SocketAddress::FromJs(info[0], {"UnixSocket", "path"});
    target = address.text;
    fd_.reset(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!fd_) throw NativeError(errno, "socket", target);
    while (connect(fd_.get(), address.get(), address.length) != 0)
      if (errno != EINTR) throw NativeError(errno, "connect", target);
  }
  writable_fd_.reset(fcntl(fd_.get(), F_DUPFD_CLOEXEC, 3));
  if (!writable_fd_) throw NativeError(errno, "fcntl", target);
}

int UnixSocket::OpenFd(const char* method) const {
  if (!fd_) throw NativeError(EBADF, std::string("UnixSocket.") + method, kTarget, "it is closed");
  return fd_.get();
}

Napi::Value UnixSocket::Receive(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  return Guarded(env, "UnixSocket.receive", [&]() -> Napi::Value {
    const int fd = OpenFd("receive");
    const uint32_t most = ToUint32(info[0], {"UnixSocket.receive", "most"}, kMostBytesAtOnce);
    if (most == 0) throw InvalidArgument("UnixSocket.receive", "most", "it is 0");
    // Not a vector, which would be filled with zeros first.
    const std::unique_ptr<uint8_t[]> bytes(new uint8_t[most]);
    ControlBuffer control;
    iovec part = {bytes.get(), most};
    msghdr message = {};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.bytes;
    message.msg_controllen = sizeof control.bytes;
    ssize_t length = -1;
    do {
      length = recvmsg(fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    } while (length < 0 && errno == EINTR);
    if (length < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return env.Null();
    if (length < 0) throw NativeError(errno, "recvmsg", kTarget);
    std::vector<UniqueFd> owned = Own(TakeDescriptors(message));
    if ((message.msg_flags & MSG_CTRUNC) != 0)
      throw NativeError(EMFILE, "recvmsg", kTarget, "not all file descriptors of a message could be received");
    Napi::Object result = Napi::Object::New(env);
    result.Set("data", Napi::Buffer<uint8_t>::Copy(env, bytes.get(), static_cast<size_t>(length)));
    Napi::Array descriptors = Napi::Array::New(env, owned.size());
    for (uint32_t i = 0; i < owned.size(); i++) descriptors.Set(i, Napi::Number::New(env, owned[i].get()));
    result.Set("descriptors", descriptors);
    // From here on JavaScript owns them.
    for (UniqueFd& descriptor : owned) descriptor.release();
    return result;
  });
}

Napi::Value UnixSocket::Send(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  return Guarded(env, "UnixSocket.send", [&]() -> Napi::Value {
    const int fd = OpenFd("send");
    const auto [bytes, size] = ToBytes(info[0], {"UnixSocket.send", "data"});
    if (size == 0) throw InvalidArgument("UnixSocket.send", "data", "it is empty");
    const std::vector<int> descriptors = ToDescriptors(info[1], {"UnixSocket.send", "descriptors"});
    iovec part = {const_cast<uint8_t*>(bytes), size};
    msghdr message = {};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    ControlBuffer control = {};
    if (!descriptors.empty()) {
      const size_t length = descriptors.size() * sizeof(int);
      message.msg_control = control.bytes;
      message.msg_controllen = CMSG_SPACE(length);
      cmsghdr* header = CMSG_FIRSTHDR(&message);
      header->cmsg_level = SOL_SOCKET;
      header->cmsg_type = SCM_RIGHTS;
      header->cmsg_len = CMSG_LEN(length);
      std::memcpy(CMSG_DATA(header), descriptors.data(), length);
    }
    ssize_t sent = -1;
    do {
      sent = sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) sent = 0;
    if (sent < 0) throw NativeError(errno, "sendmsg", kTarget);
    return Napi::Number::New(env, static_cast<double>(sent));
  });
}

Napi::Value UnixSocket::ReadableFd(const Napi::CallbackInfo& info) {
  return Guarded(info.Env(), "UnixSocket.readableFd", [&]() -> Napi::Value {
    return Napi::Number::New(info.Env(), OpenFd("readableFd"));
  });
}

Napi::Value UnixSocket::WritableFd(const Napi::CallbackInfo& info) {
  return Guarded(info.Env(), "UnixSocket.writableFd", [&]() -> Napi::Value {
    OpenFd("writableFd");
    return Napi::Number::New(info.Env(), writable_fd_.get());
  });
}

void UnixSocket::EndWriting(const Napi::CallbackInfo& info) {
  Guarded(info.Env(), "UnixSocket.endWriting", [&] {
    if (shutdown(OpenFd("endWriting"), SHUT_WR) != 0) throw NativeError(errno, "shutdown", kTarget);
  });
}

void UnixSocket::Close(const Napi::CallbackInfo&) {
  // Twice is harmless: owners close in the clean-up of failures too.
  fd_.reset();
  writable_fd_.reset();
}

void InitUnixSocket(Napi::Env env, Napi::Object exports) {
  exports.Set("UnixSocket", UnixSocket::Define(env));
  exports.Set("closeDescriptor", Napi::Function::New(env, CloseDescriptor, "closeDescriptor"));
  exports.Set("pipeWith", Napi::Function::New(env, PipeWith, "pipeWith"));
}

}  // namespace stratis

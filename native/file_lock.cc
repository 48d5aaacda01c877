#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <string>

#include "convert.h"
#include "errors.h"
#include "module.h"
#include "promise.h"
#include "unique_fd.h"
#include "write_all.h"

namespace stratis {

namespace {

constexpr const char* kName = "lockFile";
constexpr size_t kMostContentBytes = 4096;

class FileLock {
 public:
  explicit FileLock(const std::string& path) : path_(path) {
    // Never inherited: a child that outlives this process would keep the lock.
    fd_.reset(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
    if (!fd_) throw NativeError(errno, "open", path);
    acquired_ = flock(fd_.get(), LOCK_EX | LOCK_NB) == 0;
    if (!acquired_ && errno != EWOULDBLOCK) throw NativeError(errno, "flock", path);
    content_ = ReadContent();
  }
  ~FileLock() {
    // A lock that was not released stays until the process ends, even when JavaScript has forgotten the object.
    if (acquired_) fd_.release();
  }
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;

  bool acquired() const { return acquired_; }
  const std::string& content() const { return content_; }

  void Write(const std::string& text) {
    if (!acquired_) throw NativeError(EBADF, "write", path_, "this process does not hold the lock");
    if (ftruncate(fd_.get(), 0) != 0) throw NativeError(errno, "ftruncate", path_);
    WriteAll(fd_.get(), path_, text.data(), text.size());
  }

  void Release() {
    if (!fd_) throw NativeError(EBADF, "release", path_, "the lock was released before");
    acquired_ = false;
    if (close(fd_.release()) != 0 && errno != EINTR) throw NativeError(errno, "close", path_);
  }

 private:
  std::string ReadContent() const {
    std::string content(kMostContentBytes, '\0');
    size_t done = 0;
    while (done < content.size()) {
      const ssize_t length =
          pread(fd_.get(), content.data() + done, content.size() - done, static_cast<off_t>(done));
      if (length < 0 && errno == EINTR) continue;
      if (length < 0) throw NativeError(errno, "read", path_);
      if (length == 0) break;
      done += static_cast<size_t>(length);
    }
    content.resize(done);
    return content;
  }

  std::string path_;
  UniqueFd fd_;
  bool acquired_ = false;
  std::string content_;
};

Napi::Value LockFile(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  return Guarded(env, kName, [&]() -> Napi::Value {
    const auto lock = std::make_shared<FileLock>(ToText(info[0], {kName, "path"}));
    Napi::Object object = Napi::Object::New(env);
    object.Set("content", lock->content());
    // Read each time: after release() it is false.
    auto acquired = [lock](const Napi::CallbackInfo& call) { return Napi::Boolean::New(call.Env(), lock->acquired()); };
    object.DefineProperty(Napi::PropertyDescriptor::Accessor(env, object, "acquired", acquired, napi_enumerable));
    auto write = [lock](const Napi::CallbackInfo& call) {
      Guarded(call.Env(), kName, [&] { lock->Write(ToText(call[0], {"write", "text"})); });
    };
    auto release = [lock](const Napi::CallbackInfo& call) {
      Guarded(call.Env(), kName, [&] { lock->Release(); });
    };
    object.Set("write", Napi::Function::New(env, write, "write"));
    object.Set("release", Napi::Function::New(env, release, "release"));
    return object;
  });
}

}  // namespace

void InitFileLock(Napi::Env env, Napi::Object exports) {
  exports.Set("lockFile", Napi::Function::New(env, LockFile, kName));
}

}  // namespace stratis

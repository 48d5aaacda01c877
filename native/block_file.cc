#include "block_file.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <functional>

#include "convert.h"
#include "errors.h"
#include "module.h"
#include "promise.h"
#include "write_all.h"

namespace stratis {

namespace {

constexpr size_t kMemoryAlignment = 4096;
constexpr size_t kZeroChunkBytes = 1 << 20;

bool IsUnsupported(int error) { return error == EOPNOTSUPP || error == ENOTTY || error == ENOSYS; }

std::string RangeText(uint64_t offset, uint64_t length) {
  return std::to_string(length) + " bytes at " + std::to_string(offset);
}

struct stat StatusOfDevice(const std::string& path) {
  struct stat status;
  if (stat(path.c_str(), &status) != 0) throw NativeError(errno, "stat", path);
  // Before the open, which would wait for a writer on a named pipe.
  if (!S_ISBLK(status.st_mode) && !S_ISREG(status.st_mode)) throw NativeError(ENOTBLK, "open", path, "neither a block device nor a regular file");
  return status;
}

int OpenFlags(const BlockFileOptions& options, bool isBlockDevice) {
  int flags = O_CLOEXEC | (options.write ? O_RDWR : O_RDONLY);
  if (options.direct) flags |= O_DIRECT;
  // Without O_CREAT it means something for block devices alone.
  if (options.exclusive && isBlockDevice) flags |= O_EXCL;
  return flags;
}

}  // namespace

AlignedBuffer::AlignedBuffer(size_t size) : size_(size) {
  void* memory = nullptr;
  const int error = posix_memalign(&memory, kMemoryAlignment, std::max(size, kMemoryAlignment));
  if (error != 0) throw NativeError(error, "posix_memalign", std::to_string(size) + " bytes");
  memory_.reset(static_cast<uint8_t*>(memory));
}

BlockFile::BlockFile(const std::string& path, const BlockFileOptions& options)
    : path_(path), direct_(options.direct) {
  isBlockDevice_ = S_ISBLK(StatusOfDevice(path).st_mode);
  fd_ = open(path.c_str(), OpenFlags(options, isBlockDevice_));
  if (fd_ < 0) throw NativeError(errno, "open", path);
  if (!isBlockDevice_) return;
  int sectorSize = 0;
  if (ioctl(fd_, BLKSSZGET, &sectorSize) != 0) {
    const int error = errno;
    close(fd_);
    throw NativeError(error, "BLKSSZGET", path);
  }
  logicalSectorSize_ = static_cast<uint32_t>(sectorSize);
}

BlockFile::~BlockFile() {
  if (fd_ >= 0) close(fd_);
}

void BlockFile::Begin(const char* operation) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (refusing_) throw NativeError(EBADF, operation, path_, "the handle was closed");
  ++running_;
}

void BlockFile::End() {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (--running_ == 0) idle_.notify_all();
}

void BlockFile::RefuseFurther() {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (refusing_) throw NativeError(EBADF, "close", path_, "the handle was closed before");
  refusing_ = true;
}

void BlockFile::Close() {
  // The pool starts jobs in the order in which they were queued: what is waited for here is running already.
  std::unique_lock<std::mutex> lock(mutex_);
  idle_.wait(lock, [this] { return running_ == 0; });
  const int fd = fd_;
  fd_ = -1;
  lock.unlock();
  // Linux has released the descriptor even where close reports an error, EINTR included.
  if (close(fd) != 0 && errno != EINTR) throw NativeError(errno, "close", path_);
}

BlockFileInfo BlockFile::Info() const {
  struct stat status;
  if (fstat(fd_, &status) != 0) throw NativeError(errno, "fstat", path_);
  BlockFileInfo info;
  info.isBlockDevice = isBlockDevice_;
  info.logicalSectorSize = logicalSectorSize_;
  info.physicalSectorSize = 512;
  if (!isBlockDevice_) {
    struct statvfs fileSystem;
    if (fstatvfs(fd_, &fileSystem) != 0) throw NativeError(errno, "fstatvfs", path_);
    info.size = static_cast<uint64_t>(status.st_size);
    info.readOnly = (fileSystem.f_flag & ST_RDONLY) != 0;
    return info;
  }
  unsigned physicalSectorSize = 0;
  int readOnly = 0;
  if (ioctl(fd_, BLKGETSIZE64, &info.size) != 0) throw NativeError(errno, "BLKGETSIZE64", path_);
  if (ioctl(fd_, BLKPBSZGET, &physicalSectorSize) != 0) throw NativeError(errno, "BLKPBSZGET", path_);
  if (ioctl(fd_, BLKROGET, &readOnly) != 0) throw NativeError(errno, "BLKROGET", path_);
  info.physicalSectorSize = physicalSectorSize;
  info.readOnly = readOnly != 0;
  info.major = major(status.st_rdev);
  info.minor = minor(status.st_rdev);
  return info;
}

void BlockFile::CheckRange(const char* operation, uint64_t offset, uint64_t length, bool sectorAligned) const {
  const uint64_t most = INT64_MAX;
  const bool fits = offset <= most && length <= most - offset;
  const bool aligned = !sectorAligned || (offset % logicalSectorSize_ == 0 && length % logicalSectorSize_ == 0);
  if (!fits) throw NativeError(EINVAL, operation, path_, RangeText(offset, length) + " ends beyond 2^63");
  if (aligned) return;
  throw NativeError(EINVAL, operation, path_,
                    RangeText(offset, length) + " is not in whole sectors of " + std::to_string(logicalSectorSize_));
}

void BlockFile::Read(uint64_t offset, const AlignedBuffer& into) const {
  CheckRange("read", offset, into.size(), direct_);
  for (size_t done = 0; done < into.size();) {
    const ssize_t length =
        pread(fd_, into.data() + done, into.size() - done, static_cast<off_t>(offset + done));
    if (length < 0 && errno == EINTR) continue;
    if (length < 0) throw NativeError(errno, "read", path_);
    if (length == 0) {
      throw NativeError(EIO, "read", path_, "the end comes after " + std::to_string(done) + " bytes of " +
                                                RangeText(offset, into.size()));
    }
    done += static_cast<size_t>(length);
  }
}

void BlockFile::Write(uint64_t offset, const AlignedBuffer& data) const {
  CheckRange("write", offset, data.size(), direct_);
  WriteAll(fd_, path_, data.data(), data.size(), offset);
}

void BlockFile::Zero(uint64_t offset, uint64_t length) const {
  CheckRange("zero", offset, length, isBlockDevice_ || direct_);
  if (length == 0) return;
  if (isBlockDevice_) {
    uint64_t range[2] = {offset, length};
    if (ioctl(fd_, BLKZEROOUT, range) == 0) return;
    if (!IsUnsupported(errno)) throw NativeError(errno, "BLKZEROOUT", path_);
  } else {
    const int mode = FALLOC_FL_ZERO_RANGE;
    if (fallocate(fd_, mode, static_cast<off_t>(offset), static_cast<off_t>(length)) == 0) return;
    if (!IsUnsupported(errno)) throw NativeError(errno, "fallocate", path_);
  }
  WriteZeros(offset, length);
}

void BlockFile::WriteZeros(uint64_t offset, uint64_t length) const {
  const AlignedBuffer zeros(static_cast<size_t>(std::min<uint64_t>(length, kZeroChunkBytes)));
  std::fill_n(zeros.data(), zeros.size(), uint8_t{0});
  for (uint64_t done = 0; done < length;) {
    const size_t chunk = static_cast<size_t>(std::min<uint64_t>(length - done, zeros.size()));
    WriteAll(fd_, path_, zeros.data(), chunk, offset + done);
    done += chunk;
  }
}

void BlockFile::Discard(uint64_t offset, uint64_t length) const {
  CheckRange("discard", offset, length, isBlockDevice_);
  if (length == 0) return;
  if (isBlockDevice_) {
    uint64_t range[2] = {offset, length};
    if (ioctl(fd_, BLKDISCARD, range) != 0) throw NativeError(errno, "BLKDISCARD", path_);
    return;
  }
  const int mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
  if (fallocate(fd_, mode, static_cast<off_t>(offset), static_cast<off_t>(length)) != 0) {
    throw NativeError(errno, "fallocate", path_);
  }
}

void BlockFile::Sync() const {
  if (fsync(fd_) != 0) throw NativeError(errno, "fsync", path_);
}

// What JavaScript sees of a BlockFile.

namespace {

using SharedFile = std::shared_ptr<BlockFile>;

// One operation under way. It ends when its job has run, not when JavaScript has seen the result: at the exit of the
// process jobs still run, but JavaScript no longer does, and Close would wait for ever.
class Operation {
 public:
  Operation(SharedFile file, const char* name) : file_(std::move(file)) { file_->Begin(name); }
  ~Operation() { End(); }
  Operation(const Operation&) = delete;
  Operation& operator=(const Operation&) = delete;

  void End() {
    if (!ended_) file_->End();
    ended_ = true;
  }
  BlockFile& file() const { return *file_; }

 private:
  SharedFile file_;
  bool ended_ = false;
};

template <typename Result>
using Convert = std::function<Napi::Value(Napi::Env, Result&)>;

// Queues `work` on the file as an operation that close() waits for.
template <typename Result, typename Work>
Napi::Promise RunOperation(Napi::Env env, const SharedFile& file, const char* name, Work work,
                           Convert<Result> convert) {
  const auto operation = std::make_shared<Operation>(file, name);
  std::function<Result()> job = [operation, work = std::move(work)] {
    struct EndAfter {
      Operation& operation;
      ~EndAfter() { operation.End(); }
    } endAfter{*operation};
    return work(operation->file());
  };
  return RunJob<Result>(env, name, std::move(job), std::move(convert));
}

template <typename Work>
Napi::Promise RunVoidOperation(Napi::Env env, const SharedFile& file, const char* name, Work work) {
  return RunOperation<bool>(
      env, file, name,
      [work = std::move(work)](BlockFile& open) {
        work(open);
        return true;
      },
      [](Napi::Env env, bool&) { return env.Undefined(); });
}

Napi::Value InfoToJs(Napi::Env env, BlockFileInfo& info) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("size", Napi::BigInt::New(env, info.size));
  object.Set("isBlockDevice", info.isBlockDevice);
  object.Set("readOnly", info.readOnly);
  object.Set("logicalSectorSize", info.logicalSectorSize);
  object.Set("physicalSectorSize", info.physicalSectorSize);
  object.Set("major", info.major);
  object.Set("minor", info.minor);
  return object;
}

uint64_t ToOffset(const Napi::Value& value, const char* function, const char* argument = "offset") {
  return ToUint64(value, {function, argument}, INT64_MAX);
}

Napi::Value StartRead(const Napi::CallbackInfo& info, const SharedFile& file) {
  const uint64_t offset = ToOffset(info[0], "read");
  const uint32_t length = ToUint32(info[1], {"read", "length"}, BlockFile::kMostBytesPerRequest);
  return RunOperation<AlignedBuffer>(
      info.Env(), file, "read",
      [offset, length](BlockFile& open) {
        AlignedBuffer buffer(length);
        open.Read(offset, buffer);
        return buffer;
      },
      [](Napi::Env env, AlignedBuffer& buffer) {
        return Napi::Buffer<uint8_t>::Copy(env, buffer.data(), buffer.size());
      });
}

Napi::Value StartWrite(const Napi::CallbackInfo& info, const SharedFile& file) {
  const uint64_t offset = ToOffset(info[0], "write");
  const ArgumentName name{"write", "data"};
  const auto [bytes, length] = ToBytes(info[1], name);
  if (length > BlockFile::kMostBytesPerRequest) {
    name.Refuse("it has " + std::to_string(length) + " bytes, more than the 64 MiB that one request may have");
  }
  // A copy at once, because the caller may change its bytes as soon as this returns.
  const auto data = std::make_shared<AlignedBuffer>(length);
  if (length > 0) std::memcpy(data->data(), bytes, length);
  return RunVoidOperation(info.Env(), file, "write",
                          [offset, data](BlockFile& open) { open.Write(offset, *data); });
}

using RangeOperation = void (BlockFile::*)(uint64_t, uint64_t) const;

Napi::Value StartOnRange(const Napi::CallbackInfo& info, const SharedFile& file, const char* name,
                         RangeOperation operation) {
  const uint64_t offset = ToOffset(info[0], name);
  const uint64_t length = ToOffset(info[1], name, "length");
  return RunVoidOperation(info.Env(), file, name, [offset, length, operation](BlockFile& open) {
    (open.*operation)(offset, length);
  });
}

Napi::Value StartClose(const Napi::CallbackInfo& info, const SharedFile& file) {
  file->RefuseFurther();
  return RunVoidJob(info.Env(), "close", [file] { file->Close(); });
}

using Method = std::function<Napi::Value(const Napi::CallbackInfo&, const SharedFile&)>;

void AddMethod(Napi::Env env, Napi::Object object, const SharedFile& file, const char* name, Method method) {
  auto call = [file, name, method = std::move(method)](const Napi::CallbackInfo& info) {
    return Promised(info.Env(), name, [&] { return method(info, file); });
  };
  object.Set(name, Napi::Function::New(env, call, name));
}

// Closures over the handle instead of a class with a wrapped `this`: no caller can lend them a foreign object.
Napi::Value FileToJs(Napi::Env env, SharedFile& file) {
  Napi::Object object = Napi::Object::New(env);
  AddMethod(env, object, file, "info", [](const Napi::CallbackInfo& info, const SharedFile& open) {
    return RunOperation<BlockFileInfo>(
        info.Env(), open, "info", [](BlockFile& block) { return block.Info(); }, InfoToJs);
  });
  AddMethod(env, object, file, "read", StartRead);
  AddMethod(env, object, file, "write", StartWrite);
  AddMethod(env, object, file, "zero", [](const Napi::CallbackInfo& info, const SharedFile& open) {
    return StartOnRange(info, open, "zero", &BlockFile::Zero);
  });
  AddMethod(env, object, file, "discard", [](const Napi::CallbackInfo& info, const SharedFile& open) {
    return StartOnRange(info, open, "discard", &BlockFile::Discard);
  });
  AddMethod(env, object, file, "sync", [](const Napi::CallbackInfo& info, const SharedFile& open) {
    return RunVoidOperation(info.Env(), open, "sync", [](BlockFile& block) { block.Sync(); });
  });
  AddMethod(env, object, file, "close", StartClose);
  return object;
}

Napi::Value OpenBlockFile(const Napi::CallbackInfo& info) {
  const char* name = "openBlockFile";
  return Promised(info.Env(), name, [&] {
    const std::string path = ToText(info[0], {name, "path"});
    BlockFileOptions options;
    if (!info[1].IsUndefined()) {
      const ObjectReader reader(info[1], {name, "options"});
      options.write = reader.OptionalBool("write", false);
      options.exclusive = reader.OptionalBool("exclusive", false);
      options.direct = reader.OptionalBool("direct", false);
    }
    return RunJob<SharedFile>(
        info.Env(), name, [path, options] { return std::make_shared<BlockFile>(path, options); }, FileToJs);
  });
}

}  // namespace

void InitBlockFile(Napi::Env env, Napi::Object exports) {
  exports.Set("openBlockFile", Napi::Function::New(env, OpenBlockFile, "openBlockFile"));
}

}  // namespace stratis

// Lines at the end of a file that is bounded in size. One job, not one for every call of the system.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <string>
#include <vector>

#include "convert.h"
#include "errors.h"
#include "module.h"
#include "promise.h"
#include "unique_fd.h"
#include "write_all.h"

namespace stratis {

namespace {

// False: nothing was written, because the file, which is not empty, would have come to have more than `limit` bytes.
bool Append(const std::string& path, const std::vector<uint8_t>& data, uint64_t limit) {
  // O_NOFOLLOW: nobody leads it elsewhere. O_NONBLOCK: a pipe in its place that nobody reads is no file to wait for.
  const int flags = O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
  const UniqueFd fd(open(path.c_str(), flags, 0600));
  if (!fd) throw NativeError(errno, "open", path);
  struct stat status {};
  if (fstat(fd.get(), &status) != 0) throw NativeError(errno, "fstat", path);
  if (!S_ISREG(status.st_mode)) throw NativeError(EINVAL, "open", path, "it is not a regular file");
  const uint64_t size = static_cast<uint64_t>(status.st_size);
  if (size > 0 && (size > limit || data.size() > limit - size)) return false;
  // With O_APPEND the kernel takes the end of the file for the offset.
  WriteAll(fd.get(), path, data.data(), data.size());
  return true;
}

Napi::Value AppendToFile(const Napi::CallbackInfo& info) {
  const char* name = "appendToFile";
  return Promised(info.Env(), name, [&] {
    const ObjectReader options(info[0], {name, "options"});
    const std::string path = options.Text("path");
    const uint64_t limit = options.Uint64("limit");
    const auto data = std::make_shared<const std::vector<uint8_t>>(options.CopyOfBytes("data"));
    return RunJob<bool>(
        info.Env(), name, [path, data, limit] { return Append(path, *data, limit); },
        [](Napi::Env env, bool& appended) -> Napi::Value { return Napi::Boolean::New(env, appended); });
  });
}

}  // namespace

void InitAppendFile(Napi::Env env, Napi::Object exports) {
  exports.Set("appendToFile", Napi::Function::New(env, AppendToFile, "appendToFile"));
}

}  // namespace stratis

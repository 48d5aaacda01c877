// Changes of a folder's entries that are on the disk when they have returned. One job each: with one for every call of
// the system, a change waits as often for a thread and for the event loop.
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
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

void Synchronize(const UniqueFd& fd, const std::string& path) {
  if (fsync(fd.get()) != 0) throw NativeError(errno, "fsync", path);
}

void SynchronizeFolderOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  const std::string folder = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  const UniqueFd fd(open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) throw NativeError(errno, "open", folder);
  Synchronize(fd, folder);
}

UniqueFd Create(const std::string& path) {
  UniqueFd fd(open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!fd) throw NativeError(errno, "open", path);
  return fd;
}

// Returns when the disk has all that was written, perhaps in its cache. The file's size and where its data are need not
// be on it.
void WaitForData(const UniqueFd& fd, const std::string& path) {
  const unsigned flags = SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER;
  if (sync_file_range(fd.get(), 0, 0, flags) != 0) throw NativeError(errno, "sync_file_range", path);
}

// The disk's cache is waited for once, when the new file has its name, and not also before that. XFS, on which the files
// are, writes changes of its metadata in their order: the name is not changed on the disk before the size and the place
// of the data are there, which XFS noted before the wait for the data ended. And each part of its log is written behind a
// flush of the disk's cache, which has the data by then. So whoever reads the file after a power cut in between finds the
// old file or the new one, and once this returns fsync has promised the new one, data and name.
void Replace(const std::string& path, const std::string& temporary, const std::vector<uint8_t>& data) {
  UniqueFd fd;
  try {
    fd = Create(temporary);
    WriteAll(fd.get(), temporary, data.data(), data.size());
    WaitForData(fd, temporary);
    if (rename(temporary.c_str(), path.c_str()) != 0) throw NativeError(errno, "rename", path, "from " + temporary);
  } catch (...) {
    // Whoever finds it after a crash has to remove it as well, so that nothing is lost where this fails.
    unlink(temporary.c_str());
    throw;
  }
  Synchronize(fd, path);
  SynchronizeFolderOf(path);
}

Napi::Value ReplaceFile(const Napi::CallbackInfo& info) {
  const char* name = "replaceFile";
  return Promised(info.Env(), name, [&] {
    const ObjectReader options(info[0], {name, "options"});
    const std::string path = options.Text("path");
    const std::string temporary = options.Text("temporary");
    const auto data = std::make_shared<const std::vector<uint8_t>>(options.CopyOfBytes("data"));
    return RunVoidJob(info.Env(), name, [path, temporary, data] { Replace(path, temporary, *data); });
  });
}

Napi::Value RemoveFile(const Napi::CallbackInfo& info) {
  const char* name = "removeFile";
  return Promised(info.Env(), name, [&] {
    const std::string path = ToText(info[0], {name, "path"});
    return RunVoidJob(info.Env(), name, [path] {
      if (unlink(path.c_str()) != 0) throw NativeError(errno, "unlink", path);
      SynchronizeFolderOf(path);
    });
  });
}

}  // namespace

void InitDurableFile(Napi::Env env, Napi::Object exports) {
  exports.Set("replaceFile", Napi::Function::New(env, ReplaceFile, "replaceFile"));
  exports.Set("removeFile", Napi::Function::New(env, RemoveFile, "removeFile"));
}

}  // namespace stratis

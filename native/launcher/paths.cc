#include "paths.h"

#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>

namespace stratis::launcher {

namespace {

// CMakeLists.txt says which: stratisd, or stratisd-min.
constexpr const char* kProcessName = STRATIS_PROGRAM;
constexpr const char* kScriptBelowRoot = "/dist/bin/" STRATIS_PROGRAM ".js";
constexpr const char* kLaunchDirVariable = "STRATIS_LAUNCH_DIR";

bool IsExecutableFile(const std::string& path) {
  struct stat status;
  return stat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode) && access(path.c_str(), X_OK) == 0;
}

std::string ReadLink(const std::string& path) {
  char target[PATH_MAX];
  const ssize_t length = readlink(path.c_str(), target, sizeof target);
  if (length < 0) FailErrno("Reading the link " + path, errno);
  if (static_cast<size_t>(length) == sizeof target) FailErrno("Reading the link " + path, ENAMETOOLONG);
  return std::string(target, static_cast<size_t>(length));
}

std::string Parent(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == std::string::npos ? std::string() : path.substr(0, slash);
}

bool MakeOwnFolder(const std::string& path, mode_t mode) {
  return (mkdir(path.c_str(), mode) == 0 || errno == EEXIST) && IsOwn(path, S_IFDIR);
}

// The link in `folder`, made or corrected; nothing when the folder can't be used. Replaced by a rename, because another
// stratisd may be starting through the old link at this moment.
std::optional<std::string> LinkIn(const std::string& folder, const std::string& node) {
  const std::string link = folder + "/" + kProcessName;
  char target[PATH_MAX];
  const ssize_t length = readlink(link.c_str(), target, sizeof target);
  if (length >= 0 && node.compare(0, std::string::npos, target, static_cast<size_t>(length)) == 0) return link;
  const std::string fresh = link + "." + std::to_string(getpid());
  // A left-over of an earlier process with this pid; when there is none, nothing is wrong.
  unlink(fresh.c_str());
  if (symlink(node.c_str(), fresh.c_str()) != 0) return std::nullopt;
  if (rename(fresh.c_str(), link.c_str()) != 0) {
    unlink(fresh.c_str());
    return std::nullopt;
  }
  return link;
}

// The folder that stays from start to start: below /run for root, below the user's own run-time folder for others.
std::optional<std::string> PersistentLink(const std::string& node) {
  std::string base = "/run";
  if (geteuid() != 0) {
    const char* userBase = secure_getenv("XDG_RUNTIME_DIR");
    if (userBase == nullptr || userBase[0] != '/') return std::nullopt;
    base = userBase;
  }
  const std::string outer = base + "/stratisd";
  const std::string folder = outer + "/node";
  if (!MakeOwnFolder(outer, 0755) || !MakeOwnFolder(folder, 0755)) return std::nullopt;
  return LinkIn(folder, node);
}

}  // namespace

void Fail(const std::string& text) {
  std::fprintf(stderr, "%s\n", text.c_str());
  std::exit(1);
}

void FailErrno(const std::string& text, int error) {
  Fail(text + " failed: " + std::strerror(error));
}

bool IsOwn(const std::string& path, mode_t type) {
  struct stat status;
  return lstat(path.c_str(), &status) == 0 && (status.st_mode & S_IFMT) == type && status.st_uid == geteuid() &&
         (status.st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

std::string MainScript() {
  const std::string program = ReadLink("/proc/self/exe");
  const std::string script = Parent(Parent(Parent(program))) + kScriptBelowRoot;
  if (access(script.c_str(), R_OK) != 0) {
    FailErrno("Starting " + program + ": reading the daemon's script " + script, errno);
  }
  return script;
}

std::string FindNode() {
  const char* chosen = secure_getenv("STRATIS_NODE");
  if (chosen != nullptr && chosen[0] != '\0') {
    if (chosen[0] != '/') Fail(std::string("STRATIS_NODE must be an absolute path, it is \"") + chosen + "\"");
    if (!IsExecutableFile(chosen)) Fail(std::string("STRATIS_NODE names no executable file: ") + chosen);
    return chosen;
  }
  const char* search = secure_getenv("PATH");
  std::string folders = search == nullptr ? "" : search;
  folders += ":/usr/bin:/usr/local/bin";
  for (size_t start = 0; start < folders.size();) {
    const size_t end = std::min(folders.find(':', start), folders.size());
    const std::string folder = folders.substr(start, end - start);
    // Relative folders are passed over: a daemon must not run what lies in its working directory.
    if (!folder.empty() && folder[0] == '/' && IsExecutableFile(folder + "/node")) return folder + "/node";
    start = end + 1;
  }
  Fail("Unable to find executable \"node\" in any of the folders " + folders + "; STRATIS_NODE can name it");
}

std::string NamedLink(const std::string& node) {
  // Whatever the caller's environment says: only a folder made here may be removed by the daemon.
  unsetenv(kLaunchDirVariable);
  const std::optional<std::string> persistent = PersistentLink(node);
  if (persistent) return *persistent;
  char folder[] = "/tmp/stratisd-XXXXXX";
  if (mkdtemp(folder) == nullptr) FailErrno(std::string("Making the temporary folder ") + folder, errno);
  const std::optional<std::string> link = LinkIn(folder, node);
  if (!link) FailErrno(std::string("Linking ") + folder + "/" + kProcessName + " to " + node, errno);
  if (setenv(kLaunchDirVariable, folder, 1) != 0) FailErrno("Setting STRATIS_LAUNCH_DIR", errno);
  return *link;
}

}  // namespace stratis::launcher

// stratisd and stratisd-min: prepares the process, then becomes Node.js running the daemon.
//
// unshare() moves the calling thread alone, and Node has worker threads before the first line of script runs. They do
// the file I/O and the mounts, so the namespace has to be left before Node exists: here, with a single thread. The
// namespace survives execve; the process id stays the same, as systemd expects.

#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string>
#include <vector>

#include "mount_namespace.h"
#include "paths.h"
#include "snapshot.h"

namespace {

using stratis::launcher::FailErrno;

struct Invocation {
  bool answersOnly = false;  // --help, --version: nothing is started
  bool simulator = false;
};

bool IsOneOf(const char* argument, const char* longName, const char* shortName) {
  return std::strcmp(argument, longName) == 0 || std::strcmp(argument, shortName) == 0;
}

// The daemon parses its options itself; here only what decides about the preparations matters.
Invocation Look(int argc, char** argv) {
  Invocation invocation;
  for (int i = 1; i < argc; ++i) {
    if (IsOneOf(argv[i], "--help", "-h") || IsOneOf(argv[i], "--version", "-V")) invocation.answersOnly = true;
    if (std::strcmp(argv[i], "--sim") == 0) invocation.simulator = true;
  }
  return invocation;
}

void Set(const char* name, const char* value) {
  if (setenv(name, value, 1) != 0) FailErrno(std::string("Setting ") + name + " in the environment", errno);
}

void PrepareEnvironment() {
  // Blocking work (ioctls, fsync, child processes that are waited for) each takes a thread of libuv's pool, and one
  // long wait must not keep the others from starting.
  Set("UV_THREADPOOL_SIZE", "16");
  // glibc otherwise keeps a heap per thread; the pool's threads would multiply the resident memory.
  Set("MALLOC_ARENA_MAX", "2");
  // glibc's own number, but fixed: it would grow with what the start frees, such as the script, and what is below it
  // stays with the process.
  Set("MALLOC_MMAP_THRESHOLD_", "131072");
  // Meant for the user's own programs; it could load code into a daemon that runs as root.
  unsetenv("NODE_OPTIONS");
}

const std::vector<std::string> kNodeOptions = {
    // Young objects of the daemon are few: a small nursery is collected more often but stays small.
    "--max-semi-space-size=2",
    // A bound for a leak, far above what hundreds of filesystems need.
    "--max-old-space-size=256",
};

// With a `snapshot` Node does not read the script, but is told of it all the same.
[[noreturn]] void BecomeNode(const std::string& path, const std::optional<std::string>& snapshot,
                             const std::string& script, int argc, char** argv) {
  std::vector<std::string> words = {STRATIS_PROGRAM};
  words.insert(words.end(), kNodeOptions.begin(), kNodeOptions.end());
  if (snapshot) words.push_back("--snapshot-blob=" + *snapshot);
  words.push_back(script);
  for (int i = 1; i < argc; ++i) words.emplace_back(argv[i]);
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  execv(path.c_str(), arguments.data());
  FailErrno("Executing " + path, errno);
}

}  // namespace

int main(int argc, char** argv) {
  const Invocation invocation = Look(argc, argv);
  const std::string script = stratis::launcher::MainScript();
  const std::string node = stratis::launcher::FindNode();
  PrepareEnvironment();
  const std::optional<std::string> snapshotFile = stratis::launcher::SnapshotFile();
  if (invocation.answersOnly) BecomeNode(node, std::nullopt, script, argc, argv);
  // Without root the daemon fails at its pid file, with the message for that. As process 1 the namespace is already
  // that of a container alone.
  if (!invocation.simulator && geteuid() == 0 && getpid() != 1) stratis::launcher::LeaveRootMountNamespace();
  const std::string link = stratis::launcher::NamedLink(node);
  std::optional<std::string> snapshot;
  if (snapshotFile) snapshot = stratis::launcher::TakeSnapshot(*snapshotFile, node, script, kNodeOptions);
  BecomeNode(link, snapshot, script, argc, argv);
}

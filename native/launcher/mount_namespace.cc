#include "mount_namespace.h"

#include <sched.h>
#include <sys/stat.h>

#include <cerrno>

#include "paths.h"

namespace stratis::launcher {

namespace {

bool IsSame(const struct stat& one, const struct stat& other) {
  return one.st_ino == other.st_ino && one.st_dev == other.st_dev;
}

struct stat OwnMountNamespace() {
  const char* path = "/proc/self/ns/mnt";
  struct stat status;
  if (stat(path, &status) != 0) FailErrno(std::string("Looking up the mount namespace ") + path, errno);
  return status;
}

bool InRootMountNamespace(const struct stat& own) {
  const char* path = "/proc/1/ns/mnt";
  struct stat root;
  if (stat(path, &root) == 0) return IsSame(root, own);
  // Process 1 has capabilities that this one lacks, as in some containers. One namespace too many does no harm.
  if (errno == EACCES || errno == EPERM) return true;
  FailErrno(std::string("Looking up the mount namespace ") + path, errno);
}

}  // namespace

void LeaveRootMountNamespace() {
  const struct stat before = OwnMountNamespace();
  if (!InRootMountNamespace(before)) return;
  if (unshare(CLONE_NEWNS) != 0) FailErrno("Leaving the root mount namespace with unshare(CLONE_NEWNS)", errno);
  if (IsSame(before, OwnMountNamespace())) {
    Fail("The process is still in the root mount namespace after unshare(CLONE_NEWNS)");
  }
}

}  // namespace stratis::launcher

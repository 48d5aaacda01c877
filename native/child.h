// The moment between fork and exec.
#pragma once

#include <string>
#include <vector>

#include <sys/types.h>

namespace stratis {

struct ChildPlan {
  const char* file;
  char* const* arguments;
  char* const* environment;
  int standardInput;
  int standardOutput;
  int standardError;
  bool dieWithParent;
};

// Returns the pid of a child that executes the program. Throws NativeError when that fails, with execve's own errno when
// it is execve. The caller has all signals blocked (BlockedSignals), or handlers of this process would run in the child.
pid_t StartChild(const ChildPlan& plan);

}  // namespace stratis

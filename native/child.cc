#include "child.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "errors.h"
#include "unique_fd.h"

#ifndef CLOSE_RANGE_CLOEXEC
#define CLOSE_RANGE_CLOEXEC (1U << 2)
#endif
#ifndef SYS_close_range
#define SYS_close_range 436
#endif

namespace stratis {

namespace {

constexpr int kFirstPrivateDescriptor = 3;

// What follows runs in the child, in the memory of this process, whose other threads go on, and on the stack of the
// thread that waits for it: only async-signal-safe calls, no memory from the heap, no exceptions, no return.

[[noreturn]] void ReportAndLeave(int reportFd) {
  const int error = errno;
  // When even this fails, the parent sees a child that ended with status 127 before its exec.
  const ssize_t written = write(reportFd, &error, sizeof error);
  _exit(written == static_cast<ssize_t>(sizeof error) ? 126 : 127);
}

void CloseAllOnExec() {
  if (syscall(SYS_close_range, kFirstPrivateDescriptor, ~0U, CLOSE_RANGE_CLOEXEC) == 0) return;
  // Kernels before 5.11. This process opens all its descriptors with O_CLOEXEC; the loop is for those it inherited,
  // whose numbers are low.
  struct rlimit limit;
  const rlim_t most = 65536;
  rlim_t end = most;
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < most) end = limit.rlim_cur;
  for (int fd = kFirstPrivateDescriptor; fd < static_cast<int>(end); ++fd) {
    const int flags = fcntl(fd, F_GETFD);
    if (flags >= 0) fcntl(fd, F_SETFD, flags | FD_CLOEXEC);
  }
}

void ResetSignals() {
  struct sigaction byDefault = {};
  byDefault.sa_handler = SIG_DFL;
  // The C library keeps a few numbers to itself and refuses them, as the kernel does SIGKILL and SIGSTOP.
  for (int number = 1; number <= SIGRTMAX; ++number) sigaction(number, &byDefault, nullptr);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
}

[[noreturn]] void BecomeProgram(const ChildPlan& plan, pid_t parent, int reportFd) {
  if (plan.dieWithParent) {
    // The signal comes when the forking *thread* ends. Threads of libuv's pool live as long as the process.
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) ReportAndLeave(reportFd);
    if (getppid() != parent) _exit(127);
  }
  // A group of its own: what the program starts can be ended together with it.
  if (setpgid(0, 0) != 0) ReportAndLeave(reportFd);
  if (dup2(plan.standardInput, STDIN_FILENO) < 0 || dup2(plan.standardOutput, STDOUT_FILENO) < 0 ||
      dup2(plan.standardError, STDERR_FILENO) < 0) {
    ReportAndLeave(reportFd);
  }
  CloseAllOnExec();
  ResetSignals();
  execve(plan.file, plan.arguments, plan.environment);
  ReportAndLeave(reportFd);
}

// fork() would copy the page tables of all of Node's heap, and have this process take a page fault for each page that it
// writes to afterwards. posix_spawn(), which does without as well, can't set the signal for the parent's death. Returns
// when the child has executed the program or has ended; -1 on failure.
[[gnu::noinline]] pid_t StartInThisMemory(const ChildPlan& plan, int reportFd) {
  const pid_t parent = getpid();
  const pid_t pid = vfork();
  if (pid == 0) BecomeProgram(plan, parent, reportFd);
  return pid;
}

// The errno that the child reports, 0 once its exec has closed the pipe.
int ReceiveReport(int fd) {
  int error = 0;
  ssize_t length;
  do {
    length = read(fd, &error, sizeof error);
  } while (length < 0 && errno == EINTR);
  if (length < 0) return errno;
  return length == static_cast<ssize_t>(sizeof error) ? error : 0;
}

void Reap(pid_t pid) {
  while (waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
  }
}

}  // namespace

pid_t StartChild(const ChildPlan& plan) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) throw NativeError(errno, "pipe2", plan.file);
  UniqueFd report(ends[0]);
  UniqueFd childsReport(ends[1]);
  // dup2 in the child must not hit a descriptor that is still needed there. Node keeps 0 to 2 open for this reason.
  for (const int fd : {plan.standardInput, plan.standardOutput, plan.standardError, childsReport.get()}) {
    if (fd < kFirstPrivateDescriptor) throw NativeError(EBADF, "run", plan.file, "a standard stream of this process is closed");
  }
  const pid_t pid = StartInThisMemory(plan, childsReport.get());
  if (pid < 0) throw NativeError(errno, "vfork", plan.file);
  childsReport.reset();
  const int error = ReceiveReport(report.get());
  if (error != 0) {
    Reap(pid);
    throw NativeError(error, "execve", plan.file);
  }
  return pid;
}

}  // namespace stratis

#include "run.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>

#include "child.h"
#include "errors.h"
#include "keyring.h"

#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif

namespace stratis {

namespace {

using Clock = std::chrono::steady_clock;

constexpr size_t kMostOutputBytes = 1 << 20;
// Of output that is a secret: no secret is as long.
constexpr size_t kMostSecretBytes = 4096;
// Without pidfd_open (kernels before 5.3) the end of the child is looked for this often.
constexpr int64_t kChildPollMs = 50;

struct Pipe {
  UniqueFd readEnd;
  UniqueFd writeEnd;
};

Pipe MakePipe(const std::string& file) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) throw NativeError(errno, "pipe2", file);
  return Pipe{UniqueFd(ends[0]), UniqueFd(ends[1])};
}

void MakeNonBlocking(const UniqueFd& fd, const std::string& file) {
  const int flags = fcntl(fd.get(), F_GETFL);
  if (flags < 0 || fcntl(fd.get(), F_SETFL, flags | O_NONBLOCK) != 0) throw NativeError(errno, "fcntl", file);
}

// All signals stay blocked in this thread while the child lives: at the fork so that no handler of this process runs
// in the child, later so that SIGPIPE from a child that does not read its input is no more than an EPIPE.
class BlockedSignals {
 public:
  BlockedSignals() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~BlockedSignals() {
    sigset_t brokenPipe;
    sigemptyset(&brokenPipe);
    sigaddset(&brokenPipe, SIGPIPE);
    const struct timespec atOnce = {0, 0};
    while (sigtimedwait(&brokenPipe, nullptr, &atOnce) > 0) {
    }
    pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
  BlockedSignals(const BlockedSignals&) = delete;
  BlockedSignals& operator=(const BlockedSignals&) = delete;

 private:
  sigset_t before_;
};

std::vector<char*> Pointers(std::vector<std::string>& words) {
  std::vector<char*> pointers;
  for (std::string& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  return pointers;
}

// A child under way: its pipes and its end.
class Child {
 public:
  Child(RunRequest& request, const EndOfProcess& end) : request_(request), end_(end) {
    if (request.secretOutput) outcome_.secret = Secret(kMostSecretBytes);
    Start();
  }
  ~Child() {
    if (!ended_) KillAndReap();
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  RunOutcome Wait() {
    const Clock::time_point deadline = Clock::now() + std::chrono::milliseconds(request_.timeoutMs);
    while (!HasEnded()) {
      const int64_t left =
          std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
      if (left <= 0) {
        KillAndReap();
        throw NativeError(ETIMEDOUT, "run", request_.file, "killed after " + std::to_string(request_.timeoutMs) + " ms");
      }
      PollOnce(left);
    }
    // What the child wrote before it ended is in the pipes. Whatever still has them open (a process that the child
    // left behind) is not waited for.
    DrainOutput();
    Drain(errors_, outcome_.errors);
    outcome_.secret.Shorten(secretLength_);
    return std::move(outcome_);
  }

 private:
  void Start() {
    Pipe output = MakePipe(request_.file);
    Pipe errors = MakePipe(request_.file);
    Pipe input;
    if (request_.hasInput) {
      input = MakePipe(request_.file);
      MakeNonBlocking(input.writeEnd, request_.file);
    } else {
      input.readEnd.reset(open("/dev/null", O_RDONLY | O_CLOEXEC));
      if (!input.readEnd) throw NativeError(errno, "open", "/dev/null");
    }
    MakeNonBlocking(output.readEnd, request_.file);
    MakeNonBlocking(errors.readEnd, request_.file);
    std::vector<char*> arguments = Pointers(request_.arguments);
    std::vector<char*> environment = Pointers(request_.environment);
    const ChildPlan plan = {request_.file.c_str(),   arguments.data(),        environment.data(),
                            input.readEnd.get(),     output.writeEnd.get(),   errors.writeEnd.get(),
                            request_.dieWithParent};
    pid_ = StartChild(plan);
    pidFd_.reset(static_cast<int>(syscall(SYS_pidfd_open, pid_, 0)));
    input_ = std::move(input.writeEnd);
    output_ = std::move(output.readEnd);
    errors_ = std::move(errors.readEnd);
    if (request_.input.empty()) input_.reset();
  }

  bool HasEnded() {
    int status = 0;
    const pid_t waited = waitpid(pid_, &status, WNOHANG);
    if (waited == 0) return false;
    ended_ = true;
    if (waited < 0) throw NativeError(errno, "waitpid", request_.file);
    outcome_.exited = WIFEXITED(status);
    if (outcome_.exited) {
      outcome_.status = WEXITSTATUS(status);
    } else {
      outcome_.signal = WTERMSIG(status);
    }
    return true;
  }

  void PollOnce(int64_t left) {
    // A negative descriptor is passed over by poll.
    struct pollfd watched[] = {
        {input_.get(), POLLOUT, 0},  {output_.get(), POLLIN, 0},         {errors_.get(), POLLIN, 0},
        {pidFd_.get(), POLLIN, 0},   {end_.descriptor(), POLLIN, 0},
    };
    const int64_t most = pidFd_ ? INT32_MAX : kChildPollMs;
    if (poll(watched, std::size(watched), static_cast<int>(std::min(left, most))) < 0) {
      if (errno == EINTR) return;
      throw NativeError(errno, "poll", request_.file);
    }
    if (watched[4].revents != 0) LeaveAtEndOfProcess();
    if (watched[0].revents != 0) Feed();
    if (watched[1].revents != 0) DrainOutput();
    if (watched[2].revents != 0) Drain(errors_, outcome_.errors);
  }

  [[noreturn]] void LeaveAtEndOfProcess() {
    if (request_.dieWithParent) {
      KillAndReap();
    } else {
      ended_ = true;  // not so, but it is init's child in a moment
    }
    throw NativeError(ECANCELED, "run", request_.file, "this process ends");
  }

  void Feed() {
    const Secret& input = request_.input;
    const ssize_t length = write(input_.get(), input.data() + fed_, input.size() - fed_);
    if (length < 0) {
      if (errno == EAGAIN || errno == EINTR) return;
      // The child closed its standard input: what it needs to know of it is its own affair.
      if (errno != EPIPE) throw NativeError(errno, "write", request_.file);
      input_.reset();
      return;
    }
    fed_ += static_cast<size_t>(length);
    if (fed_ == input.size()) input_.reset();
  }

  // Takes what is in the pipe, at most a bounded number of rounds, so that one busy pipe starves neither the other nor
  // the clock.
  void Drain(UniqueFd& pipe, std::string& into) {
    for (int round = 0; pipe && round < 64; ++round) {
      char piece[65536];
      const ssize_t length = read(pipe.get(), piece, sizeof piece);
      if (length < 0 && errno == EINTR) continue;
      if (length < 0 && errno == EAGAIN) return;
      if (length < 0) throw NativeError(errno, "read", request_.file);
      if (length == 0) {
        pipe.reset();
        return;
      }
      into.append(piece, std::min(static_cast<size_t>(length), kMostOutputBytes - into.size()));
    }
  }

  void DrainOutput() {
    if (request_.secretOutput) {
      DrainSecret();
    } else {
      Drain(output_, outcome_.output);
    }
  }

  // The same into locked memory. What does not fit fills the last byte again and again, and is refused by its length.
  void DrainSecret() {
    for (int round = 0; output_ && round < 64; ++round) {
      const size_t at = std::min(secretLength_, kMostSecretBytes - 1);
      const ssize_t length = read(output_.get(), outcome_.secret.data() + at, kMostSecretBytes - at);
      if (length < 0 && errno == EINTR) continue;
      if (length < 0 && errno == EAGAIN) return;
      if (length < 0) throw NativeError(errno, "read", request_.file);
      if (length == 0) output_.reset();
      secretLength_ = std::max(secretLength_, at + static_cast<size_t>(length));
    }
  }

  void KillAndReap() {
    // Not reaped yet, so the pid is still the child's, and its group's, which it led before its exec. What a script was
    // waiting for ends with it.
    kill(-pid_, SIGKILL);
    while (waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
    }
    ended_ = true;
  }

  RunRequest& request_;
  const EndOfProcess& end_;
  pid_t pid_ = -1;
  UniqueFd pidFd_;
  UniqueFd input_;
  UniqueFd output_;
  UniqueFd errors_;
  size_t fed_ = 0;
  size_t secretLength_ = 0;
  bool ended_ = false;
  RunOutcome outcome_;
};

}  // namespace

EndOfProcess::EndOfProcess() : event_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (!event_) throw NativeError(errno, "eventfd", "run");
}

void EndOfProcess::Announce() const {
  const uint64_t one = 1;
  // It fails only when it was announced 2^64 times.
  if (write(event_.get(), &one, sizeof one) != static_cast<ssize_t>(sizeof one)) {
    throw NativeError(errno, "write", "run");
  }
}

RunOutcome RunProgram(RunRequest& request, const EndOfProcess& end) {
  // A session keyring may belong to one thread alone, and the child inherits that of the thread that makes it.
  if (request.keyring) PersistentKeyring();
  const BlockedSignals blocked;
  return Child(request, end).Wait();
}

}  // namespace stratis

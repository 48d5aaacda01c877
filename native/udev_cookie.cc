#include "udev_cookie.h"

#include <sys/ipc.h>
#include <sys/random.h>
#include <sys/sem.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>

namespace stratis {

namespace {

constexpr uint16_t kCookieMagic = 0x0D4D;
constexpr int kFlagsShift = 16;
// Marks an event that device-mapper caused, as opposed to `udevadm trigger` (DM_UDEV_PRIMARY_SOURCE_FLAG).
constexpr uint16_t kPrimarySource = 0x0040;
constexpr int kKeyAttempts = 5;
constexpr time_t kWaitSeconds = 30;
constexpr const char* kUdevControl = "/run/udev/control";

// The caller of semctl has to define this one (semctl(2)).
union SemaphoreArgument {
  int value;
  struct seminfo* info;
};

SysResult Failed(const char* call, const char* detail) { return {errno, call, detail}; }

// Adds to the semaphore; a negative amount never waits.
bool AddToSemaphore(int semaphore, short amount) {
  struct sembuf operation = {0, amount, static_cast<short>(amount < 0 ? IPC_NOWAIT : 0)};
  while (semop(semaphore, &operation, 1) != 0)
    if (errno != EINTR) return false;
  return true;
}

// `dmsetup udevcomplete_all` removes semaphores to free those who wait: that ends a wait, it is no failure.
bool RemovedByOthers(int number) { return number == EIDRM || number == EINVAL; }

bool SemaphoresWork() {
  struct seminfo info = {};
  SemaphoreArgument argument = {};
  argument.info = &info;
  return semctl(0, 0, SEM_INFO, argument) >= 0 && info.semmsl > 0 && info.semmni > 0 && info.semmns > 0;
}

// Remaining time until `deadline`, not below zero.
struct timespec Remaining(const struct timespec& deadline) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  struct timespec left = {deadline.tv_sec - now.tv_sec, deadline.tv_nsec - now.tv_nsec};
  if (left.tv_nsec < 0) {
    left.tv_sec -= 1;
    left.tv_nsec += 1000000000;
  }
  if (left.tv_sec < 0) left = {0, 0};
  return left;
}

SysResult WaitForZero(int semaphore) {
  struct timespec deadline;
  clock_gettime(CLOCK_MONOTONIC, &deadline);
  deadline.tv_sec += kWaitSeconds;
  struct sembuf until_zero = {0, 0, 0};
  for (;;) {
    const struct timespec left = Remaining(deadline);
    if (semtimedop(semaphore, &until_zero, 1, &left) == 0 || RemovedByOthers(errno)) return {};
    if (errno == EAGAIN) return {ETIMEDOUT, "semtimedop", "udev did not finish its rules within 30 s"};
    if (errno != EINTR) return Failed("semtimedop", "waiting for udev");
  }
}

}  // namespace

bool UdevCookie::Usable() {
  static const bool semaphores_work = SemaphoresWork();
  return semaphores_work && access(kUdevControl, F_OK) == 0;
}

UdevCookie::~UdevCookie() {
  // A leftover here is of a call that failed for another reason, which is what gets reported.
  if (active()) Remove();
}

SysResult UdevCookie::Begin(uint16_t flags) {
  for (int attempt = 1;; attempt++) {
    uint16_t base = 0;
    if (getrandom(&base, sizeof base, 0) != static_cast<ssize_t>(sizeof base))
      return Failed("getrandom", "choosing a udev cookie");
    // Base 0 means "no cookie" to udev's rules.
    if (base == 0) base = 1;
    const key_t key = static_cast<key_t>((static_cast<uint32_t>(kCookieMagic) << 16) | base);
    semaphore_ = semget(key, 1, 0600 | IPC_CREAT | IPC_EXCL);
    if (semaphore_ >= 0) {
      event_nr_ = (static_cast<uint32_t>(flags | kPrimarySource) << kFlagsShift) | base;
      break;
    }
    if (errno != EEXIST || attempt == kKeyAttempts) return Failed("semget", "making a udev cookie");
  }
  SemaphoreArgument argument = {};
  argument.value = 1;
  // One count is the caller's own, taken back in Wait; the other is for udev.
  if (semctl(semaphore_, 0, SETVAL, argument) != 0 || !AddToSemaphore(semaphore_, 1)) {
    const SysResult failure = Failed("semctl", "setting up a udev cookie");
    Remove();
    return failure;
  }
  const int value = semctl(semaphore_, 0, GETVAL);
  if (value == 2) return {};
  Remove();
  return {EIO, "semctl", "a udev cookie's semaphore does not have the value that was set"};
}

SysResult UdevCookie::NotifyInPlaceOfUdev() {
  if (AddToSemaphore(semaphore_, -1) || RemovedByOthers(errno)) return {};
  return Failed("semop", "completing a udev cookie");
}

SysResult UdevCookie::Wait() {
  SysResult result;
  if (AddToSemaphore(semaphore_, -1))
    result = WaitForZero(semaphore_);
  else if (!RemovedByOthers(errno))
    result = Failed("semop", "taking back the caller's count of a udev cookie");
  const SysResult removal = Remove();
  return result.ok() ? removal : result;
}

SysResult UdevCookie::Cancel() { return Remove(); }

SysResult UdevCookie::Remove() {
  const int semaphore = semaphore_;
  semaphore_ = -1;
  event_nr_ = 0;
  if (semctl(semaphore, 0, IPC_RMID) == 0 || RemovedByOthers(errno)) return {};
  return Failed("semctl", "removing a udev cookie");
}

}  // namespace stratis

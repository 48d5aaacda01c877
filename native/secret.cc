#include "secret.h"

#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "errors.h"

namespace stratis {

namespace {

constexpr const char* kDescriptor = "file descriptor";

// How long a sender may be silent between two parts of a key. One that keeps its end open after the last part makes us
// wait this long.
constexpr int kPauseMs = 300;

// Waits until reading does not block, at the end of the file and after a hang-up too. False: the time is over.
bool WaitReadable(int fd, int timeout_ms) {
  pollfd watched = {fd, POLLIN, 0};
  for (;;) {
    const int ready = poll(&watched, 1, timeout_ms);
    if (ready < 0 && errno == EINTR) continue;
    if (ready < 0) throw NativeError(errno, "poll", kDescriptor);
    return ready > 0;
  }
}

}  // namespace

// Pages of its own for each: locking and unlocking work on whole pages, and a neighbour on the same page would be
// unlocked along.
Secret::Secret(size_t size) : size_(size), capacity_(size) {
  if (size == 0) return;
  void* memory = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) throw NativeError(errno, "mmap", "memory for a secret");
  memory_ = static_cast<uint8_t*>(memory);
  // Both are precautions: without the right to lock memory a secret is still better used than refused.
  (void)mlock(memory_, capacity_);
  (void)madvise(memory_, capacity_, MADV_DONTDUMP);
}

Secret::Secret(const uint8_t* bytes, size_t size) : Secret(size) { std::copy_n(bytes, size, memory_); }

Secret::Secret(Secret&& other) noexcept { *this = std::move(other); }

Secret& Secret::operator=(Secret&& other) noexcept {
  if (this == &other) return *this;
  Wipe();
  memory_ = std::exchange(other.memory_, nullptr);
  size_ = std::exchange(other.size_, 0);
  capacity_ = std::exchange(other.capacity_, 0);
  return *this;
}

void Secret::Wipe() {
  if (memory_ != nullptr) {
    explicit_bzero(memory_, capacity_);
    munmap(memory_, capacity_);
  }
  memory_ = nullptr;
  size_ = capacity_ = 0;
}

void Secret::Shorten(size_t size) {
  if (size >= size_) return;
  explicit_bzero(memory_ + size, size_ - size);
  size_ = size;
}

bool Secret::Equals(const Secret& other) const {
  if (size_ != other.size_) return false;
  // All bytes in any case, so that the time says nothing about where the difference is.
  uint8_t difference = 0;
  for (size_t i = 0; i < size_; i++) difference = static_cast<uint8_t>(difference | (memory_[i] ^ other.memory_[i]));
  return difference == 0;
}

Secret RandomSecret(size_t bytes) {
  Secret secret(bytes);
  for (size_t done = 0; done < bytes;) {
    const ssize_t length = getrandom(secret.data() + done, bytes - done, 0);
    if (length < 0 && errno == EINTR) continue;
    if (length < 0) throw NativeError(errno, "getrandom", "a secret");
    done += static_cast<size_t>(length);
  }
  return secret;
}

Secret ReadSecret(int fd, size_t most, int timeout_ms) {
  Secret secret(most + 1);
  size_t done = 0;
  if (!WaitReadable(fd, timeout_ms)) throw NativeError(ETIMEDOUT, "read", kDescriptor, "no key came in time");
  do {
    const ssize_t length = read(fd, secret.data() + done, most + 1 - done);
    if (length < 0 && errno == EINTR) continue;
    if (length < 0) throw NativeError(errno, "read", kDescriptor);
    if (length == 0) break;
    done += static_cast<size_t>(length);
  } while (done <= most && WaitReadable(fd, kPauseMs));
  secret.Shorten(done);
  return secret;
}

}  // namespace stratis

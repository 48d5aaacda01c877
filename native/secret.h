// Memory for passphrases and keys.
#pragma once

#include <cstddef>
#include <cstdint>

namespace stratis {

// Bytes that stay out of swap and core dumps and are wiped when they are no longer needed. Movable, never copied by
// accident.
class Secret {
 public:
  Secret() = default;
  // Zeroes. Throws NativeError with ENOMEM.
  explicit Secret(size_t size);
  Secret(const uint8_t* bytes, size_t size);
  Secret(Secret&& other) noexcept;
  Secret& operator=(Secret&& other) noexcept;
  ~Secret() { Wipe(); }

  uint8_t* data() { return memory_; }
  const uint8_t* data() const { return memory_; }
  const char* text() const { return reinterpret_cast<const char*>(memory_); }
  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  // Takes bytes away from the end; they are wiped.
  void Shorten(size_t size);
  void Wipe();
  bool Equals(const Secret& other) const;
  Secret Copy() const { return Secret(memory_, size_); }

 private:
  uint8_t* memory_ = nullptr;
  size_t size_ = 0;
  size_t capacity_ = 0;
};

// From the kernel's generator. Throws NativeError.
Secret RandomSecret(size_t bytes);

// Reads a secret from a descriptor, to its end. The sender of a pipe may keep its end open until it has our answer, so
// that the end would never come: a pause of 300 ms after the first byte ends the secret too. At most `most` + 1 bytes,
// so that an excess shows. Throws NativeError, ETIMEDOUT when nothing comes at all.
Secret ReadSecret(int fd, size_t most, int timeout_ms);

}  // namespace stratis

// Reading, writing, zeroing and discarding on a block device or a regular file.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <string>

namespace stratis {

struct BlockFileInfo {
  uint64_t size = 0;
  bool isBlockDevice = false;
  bool readOnly = false;
  uint32_t logicalSectorSize = 0;
  uint32_t physicalSectorSize = 0;
  uint32_t major = 0;
  uint32_t minor = 0;
};

struct BlockFileOptions {
  bool write = false;
  bool exclusive = false;
  bool direct = false;
};

// Memory that O_DIRECT accepts on every device: aligned to a page of 4 KiB.
class AlignedBuffer {
 public:
  // Throws NativeError with ENOMEM.
  explicit AlignedBuffer(size_t size);
  AlignedBuffer(AlignedBuffer&&) = default;
  AlignedBuffer& operator=(AlignedBuffer&&) = default;

  uint8_t* data() const { return memory_.get(); }
  size_t size() const { return size_; }

 private:
  struct Release {
    void operator()(uint8_t* memory) const { std::free(memory); }
  };
  std::unique_ptr<uint8_t, Release> memory_;
  size_t size_;
};

// An open device. All members may be called on any thread; all but Begin, End block. Every failure is thrown.
class BlockFile {
 public:
  static constexpr uint64_t kMostBytesPerRequest = 64ULL << 20;

  BlockFile(const std::string& path, const BlockFileOptions& options);
  ~BlockFile();
  BlockFile(const BlockFile&) = delete;
  BlockFile& operator=(const BlockFile&) = delete;

  const std::string& path() const { return path_; }

  // Counts an operation that is about to be queued, so that Close waits for it. EBADF once Close was asked for.
  void Begin(const char* operation);
  void End();
  // Refuses new operations from now on; EBADF when that was so already.
  void RefuseFurther();

  BlockFileInfo Info() const;
  void Read(uint64_t offset, const AlignedBuffer& into) const;
  void Write(uint64_t offset, const AlignedBuffer& data) const;
  void Zero(uint64_t offset, uint64_t length) const;
  void Discard(uint64_t offset, uint64_t length) const;
  void Sync() const;
  // Waits for the operations that were begun, then closes. Only after RefuseFurther.
  void Close();

 private:
  void CheckRange(const char* operation, uint64_t offset, uint64_t length, bool sectorAligned) const;
  void WriteZeros(uint64_t offset, uint64_t length) const;

  const std::string path_;
  const bool direct_;
  int fd_ = -1;
  bool isBlockDevice_ = false;
  uint32_t logicalSectorSize_ = 512;

  std::mutex mutex_;
  std::condition_variable idle_;
  unsigned running_ = 0;
  bool refusing_ = false;
};

}  // namespace stratis

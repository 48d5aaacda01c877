#pragma once

#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <string>

#include "errors.h"

namespace stratis {

// Writes all of `length` bytes at `offset` bytes of a file or device. Throws NativeError, as of a write to `path`.
inline void WriteAll(int fd, const std::string& path, const void* data, size_t length, uint64_t offset = 0) {
  const uint8_t* bytes = static_cast<const uint8_t*>(data);
  for (size_t done = 0; done < length;) {
    const ssize_t written = pwrite(fd, bytes + done, length - done, static_cast<off_t>(offset + done));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) throw NativeError(errno, "write", path);
    if (written == 0) {
      throw NativeError(EIO, "write", path,
                        "nothing was written of " + std::to_string(length - done) + " bytes at " +
                            std::to_string(offset + done));
    }
    done += static_cast<size_t>(written);
  }
}

}  // namespace stratis

// One device-mapper ioctl, prepared beforehand and run later. Nothing but growing the buffer of a request for data
// allocates memory while it runs: with a pool suspended, memory could have to come from dirty pages that can't be
// written until the pool is resumed.
#pragma once

#include <linux/dm-ioctl.h>

#include <cstdint>
#include <vector>

#include "dm_ioctl.h"
#include "errors.h"
#include "udev_cookie.h"

namespace stratis {

class DmCall {
 public:
  // Keeps a reference to `request`.
  explicit DmCall(const DmRequest& request);
  DmCall(const DmCall&) = delete;
  DmCall& operator=(const DmCall&) = delete;
  ~DmCall();

  // Issues the ioctl on `control`, with a udev cookie where the operation has one and `udev` says that udev runs.
  SysResult Run(int control, bool udev);
  // The ioctl succeeded, whatever came of the cookie.
  bool took_effect() const { return took_effect_; }
  // Run has left a cookie to wait for.
  bool awaits_udev() const { return cookie_.active(); }
  SysResult WaitForUdev() { return cookie_.Wait(); }
  // Gives up waiting.
  SysResult CancelWait() { return cookie_.Cancel(); }

  // Of a call that took effect. Throws when the kernel's answer makes no sense.
  DmReply Reply() const;
  NativeError Failure(const SysResult& result) const;

 private:
  SysResult Issue(int control);
  SysResult IssueOnce(int control);
  bool GrowBuffer();
  dm_ioctl Header() const;

  const DmRequest& request_;
  // What is sent. The kernel overwrites the buffer, so that each attempt starts from this copy.
  std::vector<uint8_t> input_;
  std::vector<uint8_t> buffer_;
  UdevCookie cookie_;
  uint64_t microseconds_ = 0;
  bool took_effect_ = false;
};

}  // namespace stratis

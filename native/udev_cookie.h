// udev synchronisation: a System V semaphore on which the caller of an ioctl waits until udev has run its rules for
// the uevent that the ioctl caused. The protocol is libdevmapper's; `dmsetup udevcomplete`, run by udev's rules, is
// the other party.
#pragma once

#include <cstdint>

namespace stratis {

// How a call ended, without memory of its own, so that it can be kept while devices are suspended.
struct SysResult {
  int number = 0;              // errno, 0 for success
  const char* call = "";       // what failed
  const char* detail = "";     // what the errno alone does not say
  bool ok() const { return number == 0; }
};

class UdevCookie {
 public:
  // True when udevd runs and semaphores work; otherwise nobody would answer a cookie.
  static bool Usable();

  UdevCookie() = default;
  UdevCookie(const UdevCookie&) = delete;
  UdevCookie& operator=(const UdevCookie&) = delete;
  // Removes a semaphore that is left over.
  ~UdevCookie();

  // Makes the semaphore. `flags` are DM_UDEV_* bits for udev's rules.
  SysResult Begin(uint16_t flags);
  // What goes into the ioctl's event_nr; 0 before Begin.
  uint32_t event_nr() const { return event_nr_; }
  // True between Begin and Wait or Cancel.
  bool active() const { return semaphore_ >= 0; }
  // For an ioctl that caused no uevent: does what udev's rules would have done.
  SysResult NotifyInPlaceOfUdev();
  // Waits for udev, up to a time limit (ETIMEDOUT), and removes the semaphore in any case.
  SysResult Wait();
  // For a failed ioctl: removes the semaphore.
  SysResult Cancel();

 private:
  SysResult Remove();

  int semaphore_ = -1;
  uint32_t event_nr_ = 0;
};

}  // namespace stratis

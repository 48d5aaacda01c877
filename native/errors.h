// Failures of system calls, and their shape in JavaScript (NativeError in src/native/index.ts).
#pragma once

#include <napi.h>

#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

namespace stratis {

// "EBUSY" for EBUSY; "E1234" for a number without a name.
std::string ErrnoName(int number);

// A call that failed: `syscall` is what was tried, `target` what it was tried on. Thrown on any thread; it holds
// no JavaScript values.
class NativeError : public std::runtime_error {
 public:
  // `detail` says what the errno alone does not; it may be empty.
  NativeError(int number, std::string syscall, std::string target, const std::string& detail = "");

  int number() const { return number_; }
  const std::string& syscall() const { return syscall_; }
  const std::string& target() const { return target_; }

  // Of dmSequence: the step that failed, and the texts of the undo requests that failed.
  std::optional<uint32_t> step;
  std::optional<std::vector<std::string>> undo_errors;

  // The JavaScript Error object. Main thread only.
  Napi::Error ToJs(Napi::Env env) const;

 private:
  int number_;
  std::string syscall_;
  std::string target_;
};

// For the addon's own checks of what JavaScript passed: code EINVAL, `function` as the syscall, `argument` as the
// target.
NativeError InvalidArgument(const std::string& function, const std::string& argument, const std::string& why);

}  // namespace stratis

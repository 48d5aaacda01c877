#include "errors.h"

#include <cerrno>
#include <cstring>
#include <utility>

namespace stratis {

namespace {

std::string ErrnoText(int number) {
  char buffer[128];
  // The GNU form of strerror_r, which may return a constant instead of filling the buffer. strerror is not safe
  // on libuv's threads.
  return strerror_r(number, buffer, sizeof buffer);
}

std::string Message(int number, const std::string& syscall, const std::string& target,
                    const std::string& detail) {
  std::string text = syscall + " on " + (target.empty() ? "(nothing)" : target) + " failed: ";
  text += ErrnoName(number) + " (" + ErrnoText(number) + ")";
  if (!detail.empty()) text += ": " + detail;
  return text;
}

}  // namespace

std::string ErrnoName(int number) {
  const char* name = strerrorname_np(number);
  return name != nullptr ? name : "E" + std::to_string(number);
}

NativeError::NativeError(int number, std::string syscall, std::string target, const std::string& detail)
    : std::runtime_error(Message(number, syscall, target, detail)),
      number_(number),
      syscall_(std::move(syscall)),
      target_(std::move(target)) {}

Napi::Error NativeError::ToJs(Napi::Env env) const {
  Napi::Error error = Napi::Error::New(env, what());
  Napi::Object object = error.Value();
  object.Set("code", ErrnoName(number_));
  object.Set("errno", number_);
  object.Set("syscall", syscall_);
  object.Set("target", target_);
  if (step) object.Set("step", *step);
  if (undo_errors) {
    Napi::Array texts = Napi::Array::New(env, undo_errors->size());
    for (uint32_t i = 0; i < undo_errors->size(); i++) texts.Set(i, (*undo_errors)[i]);
    object.Set("undoErrors", texts);
  }
  return error;
}

NativeError InvalidArgument(const std::string& function, const std::string& argument, const std::string& why) {
  return NativeError(EINVAL, function, argument, why);
}

}  // namespace stratis

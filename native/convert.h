// Checked conversions from JavaScript values. What doesn't fit is a NativeError with code EINVAL that names the
// function and the argument; nothing is coerced.
#pragma once

#include <napi.h>

#include <cmath>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "errors.h"

namespace stratis {

// Names one argument in messages: the function that was called and the path of the argument.
struct ArgumentName {
  std::string function;
  std::string path;

  ArgumentName Member(const std::string& name) const {
    return {function, path.empty() ? name : path + "." + name};
  }
  ArgumentName Element(uint32_t index) const { return {function, path + "[" + std::to_string(index) + "]"}; }
  [[noreturn]] void Refuse(const std::string& why) const { throw InvalidArgument(function, path, why); }
};

// A string without NUL bytes, since it goes to interfaces that end at the first one. `limit` in bytes of UTF-8.
inline std::string ToText(const Napi::Value& value, const ArgumentName& name, size_t limit = 1 << 20) {
  if (!value.IsString()) name.Refuse("it is not a string");
  std::string text = value.As<Napi::String>().Utf8Value();
  if (text.size() > limit)
    name.Refuse("it has " + std::to_string(text.size()) + " bytes, at most " + std::to_string(limit) +
                " are allowed");
  if (text.find('\0') != std::string::npos) name.Refuse("it holds a NUL character");
  return text;
}

inline bool ToBool(const Napi::Value& value, const ArgumentName& name) {
  if (!value.IsBoolean()) name.Refuse("it is not a boolean");
  return value.As<Napi::Boolean>().Value();
}

// A whole number from 0 to `limit`.
inline uint32_t ToUint32(const Napi::Value& value, const ArgumentName& name, uint32_t limit = UINT32_MAX) {
  if (!value.IsNumber()) name.Refuse("it is not a number");
  const double number = value.As<Napi::Number>().DoubleValue();
  // Written so that NaN is refused as well.
  if (!(number >= 0 && number <= limit) || std::floor(number) != number)
    name.Refuse("it is not a whole number from 0 to " + std::to_string(limit));
  return static_cast<uint32_t>(number);
}

// A bigint from 0 to `limit`.
inline uint64_t ToUint64(const Napi::Value& value, const ArgumentName& name, uint64_t limit = UINT64_MAX) {
  if (!value.IsBigInt()) name.Refuse("it is not a bigint");
  bool lossless = false;
  const uint64_t number = value.As<Napi::BigInt>().Uint64Value(&lossless);
  if (!lossless || number > limit) name.Refuse("it is not within 0 to " + std::to_string(limit));
  return number;
}

// The bytes of a Uint8Array or Buffer. The memory belongs to JavaScript: copy it before leaving the main thread.
inline std::pair<const uint8_t*, size_t> ToBytes(const Napi::Value& value, const ArgumentName& name) {
  if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != napi_uint8_array)
    name.Refuse("it is not a Uint8Array");
  Napi::Uint8Array bytes = value.As<Napi::Uint8Array>();
  return {bytes.Data(), bytes.ByteLength()};
}

inline Napi::Array ToArray(const Napi::Value& value, const ArgumentName& name, uint32_t limit) {
  if (!value.IsArray()) name.Refuse("it is not an array");
  Napi::Array array = value.As<Napi::Array>();
  if (array.Length() > limit) name.Refuse("it has more than " + std::to_string(limit) + " elements");
  return array;
}

// Members of an options or request object.
class ObjectReader {
 public:
  ObjectReader(const Napi::Value& value, ArgumentName name) : name_(std::move(name)) {
    if (!value.IsObject() || value.IsArray() || value.IsFunction()) name_.Refuse("it is not an object");
    object_ = value.As<Napi::Object>();
  }

  bool Has(const char* member) const { return !object_.Get(member).IsUndefined(); }
  Napi::Value Get(const char* member) const { return object_.Get(member); }
  ArgumentName Name(const char* member) const { return name_.Member(member); }

  std::string Text(const char* member, size_t limit = 1 << 20) const {
    return ToText(Get(member), Name(member), limit);
  }
  std::string OptionalText(const char* member, const std::string& otherwise, size_t limit = 1 << 20) const {
    return Has(member) ? Text(member, limit) : otherwise;
  }
  // A copy of at most 1 MiB of bytes, for a job.
  std::vector<uint8_t> CopyOfBytes(const char* member) const {
    const auto [bytes, length] = ToBytes(Get(member), Name(member));
    if (length > 1 << 20)
      Name(member).Refuse("it has " + std::to_string(length) + " bytes, more than the 1 MiB that are allowed");
    return {bytes, bytes + length};
  }
  bool OptionalBool(const char* member, bool otherwise) const {
    return Has(member) ? ToBool(Get(member), Name(member)) : otherwise;
  }
  uint32_t OptionalUint32(const char* member, uint32_t otherwise, uint32_t limit = UINT32_MAX) const {
    return Has(member) ? ToUint32(Get(member), Name(member), limit) : otherwise;
  }
  uint64_t Uint64(const char* member, uint64_t limit = UINT64_MAX) const {
    return ToUint64(Get(member), Name(member), limit);
  }
  uint64_t OptionalUint64(const char* member, uint64_t otherwise, uint64_t limit = UINT64_MAX) const {
    return Has(member) ? Uint64(member, limit) : otherwise;
  }
  std::vector<std::string> OptionalTexts(const char* member, uint32_t limit = 65536) const {
    std::vector<std::string> texts;
    if (!Has(member)) return texts;
    Napi::Array array = ToArray(Get(member), Name(member), limit);
    texts.reserve(array.Length());
    for (uint32_t i = 0; i < array.Length(); i++)
      texts.push_back(ToText(array.Get(i), Name(member).Element(i)));
    return texts;
  }

 private:
  ArgumentName name_;
  Napi::Object object_;
};

}  // namespace stratis

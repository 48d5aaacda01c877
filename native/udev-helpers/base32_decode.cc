// stratis-base32-decode KEY VALUE: prints KEY=<decoded value> for udev's IMPORT{program}.
//
// The kernel takes only ASCII letters and digits in the arguments of a synthetic uevent, so the daemon hands the
// names of pool and filesystem over in unpadded base32 (RFC 4648), and the udev rules turn them back with this.
// It runs in udev's event processing and in the initramfs, hence the static linking and the lack of libraries.

#include <cstdint>
#include <cstdio>
#include <optional>
#include <string>

namespace {

constexpr unsigned kBitsPerDigit = 5;

int DigitValue(char digit) {
  if (digit >= 'A' && digit <= 'Z') return digit - 'A';
  if (digit >= '2' && digit <= '7') return digit - '2' + 26;
  return -1;
}

// Only the canonical form is accepted: no padding, upper case, and left-over bits that are zero. Two different
// texts must never name the same link.
std::optional<std::string> DecodeBase32(const char* text) {
  std::string bytes;
  uint32_t pending = 0;
  unsigned pendingBits = 0;
  for (const char* at = text; *at != '\0'; ++at) {
    const int value = DigitValue(*at);
    if (value < 0) return std::nullopt;
    pending = (pending << kBitsPerDigit) | static_cast<uint32_t>(value);
    pendingBits += kBitsPerDigit;
    if (pendingBits >= 8) {
      pendingBits -= 8;
      bytes.push_back(static_cast<char>(pending >> pendingBits));
      pending &= (1U << pendingBits) - 1;
    }
  }
  // A whole digit left over means that the last digit carries no bit of a byte: no encoder ends like that.
  if (pendingBits >= kBitsPerDigit || pending != 0) return std::nullopt;
  return bytes;
}

struct Utf8Form {
  size_t length;
  uint32_t smallest;  // below it the sequence is an overlong form
  uint32_t bits;
};

std::optional<Utf8Form> FormOfLeadByte(uint8_t lead) {
  if (lead < 0x80) return Utf8Form{1, 0, lead};
  if ((lead & 0xe0) == 0xc0) return Utf8Form{2, 0x80, lead & 0x1fU};
  if ((lead & 0xf0) == 0xe0) return Utf8Form{3, 0x800, lead & 0x0fU};
  if ((lead & 0xf8) == 0xf0) return Utf8Form{4, 0x10000, lead & 0x07U};
  return std::nullopt;
}

bool IsUtf8(const std::string& bytes) {
  for (size_t at = 0; at < bytes.size();) {
    const std::optional<Utf8Form> form = FormOfLeadByte(static_cast<uint8_t>(bytes[at]));
    if (!form || form->length > bytes.size() - at) return false;
    uint32_t codePoint = form->bits;
    for (size_t i = 1; i < form->length; ++i) {
      const uint8_t next = static_cast<uint8_t>(bytes[at + i]);
      if ((next & 0xc0) != 0x80) return false;
      codePoint = (codePoint << 6) | (next & 0x3fU);
    }
    const bool surrogate = codePoint >= 0xd800 && codePoint <= 0xdfff;
    if (codePoint < form->smallest || codePoint > 0x10ffff || surrogate) return false;
    at += form->length;
  }
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fprintf(stderr, "stratis-base32-decode: the %s argument is missing; usage: KEY VALUE\n",
                 argc < 2 ? "KEY" : "VALUE");
    return 1;
  }
  const std::optional<std::string> decoded = DecodeBase32(argv[2]);
  if (!decoded) {
    std::fprintf(stderr, "stratis-base32-decode: the value \"%s\" is not canonical base32 without padding\n", argv[2]);
    return 1;
  }
  if (!IsUtf8(*decoded)) {
    std::fprintf(stderr, "stratis-base32-decode: the value \"%s\" decodes to bytes that are not UTF-8\n", argv[2]);
    return 1;
  }
  const std::string line = std::string(argv[1]) + "=" + *decoded + "\n";
  if (std::fwrite(line.data(), 1, line.size(), stdout) != line.size() || std::fflush(stdout) != 0) {
    std::perror("stratis-base32-decode: writing the decoded value to standard output");
    return 1;
  }
  return 0;
}

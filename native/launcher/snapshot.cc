#include "snapshot.h"

#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>

#include "paths.h"

namespace stratis::launcher {

namespace {

constexpr const char* kFolderVariable = "STRATIS_SNAPSHOTS";
constexpr const char* kFileVariable = "STRATIS_SNAPSHOT";
constexpr const char* kFileInFolder = "/" STRATIS_PROGRAM ".snapshot";
constexpr const char* kPartsSuffix = ".parts";
constexpr const char* kTriedSuffix = ".tried";
// Far above what the libraries of Node need.
constexpr std::streamsize kMostPartsBytes = 256 * 1024;
constexpr std::streamsize kPieceBytes = 64 * 1024;
constexpr const char* kFilePrefix = "file ";
constexpr int kFieldsBeforePath = 4;

// What V8 makes code for depends on it; "flags" on x86, "Features" on ARM.
std::string ProcessorLine() {
  std::ifstream information("/proc/cpuinfo");
  std::string line;
  while (std::getline(information, line)) {
    if (line.rfind("flags", 0) == 0 || line.rfind("Features", 0) == 0) return "processor " + line;
  }
  return "processor ";
}

std::string Nanoseconds(const struct timespec& time) {
  return std::to_string(static_cast<long long>(time.tv_sec) * 1000000000LL + time.tv_nsec);
}

// As it is now; nothing when it is not there.
std::optional<std::string> FileLine(const std::string& path) {
  struct stat status;
  if (stat(path.c_str(), &status) != 0) return std::nullopt;
  return kFilePrefix + std::to_string(status.st_size) + " " + Nanoseconds(status.st_mtim) + " " +
         Nanoseconds(status.st_ctim) + " " + path;
}

// Node itself starts from damaged content as if nothing were wrong.
std::optional<std::string> ContentLine(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::vector<char> piece(kPieceBytes);
  uLong checksum = crc32(0, Z_NULL, 0);
  long long size = 0;
  while (file.read(piece.data(), kPieceBytes) || file.gcount() > 0) {
    checksum = crc32(checksum, reinterpret_cast<const Bytef*>(piece.data()), static_cast<uInt>(file.gcount()));
    size += file.gcount();
  }
  if (!file.eof()) return std::nullopt;
  return "content " + std::to_string(size) + " " + std::to_string(checksum);
}

std::string PathOf(const std::string& fileLine) {
  size_t at = 0;
  for (int field = 0; field < kFieldsBeforePath; ++field) {
    at = fileLine.find(' ', at);
    if (at == std::string::npos) return std::string();
    ++at;
  }
  return fileLine.substr(at);
}

std::vector<std::string> Lines(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string text(static_cast<size_t>(kMostPartsBytes), '\0');
  file.read(text.data(), kMostPartsBytes);
  text.resize(static_cast<size_t>(file.gcount()));
  std::istringstream stream(text);
  std::vector<std::string> lines;
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

std::optional<std::string> RealPath(const std::string& path) {
  char real[PATH_MAX];
  if (realpath(path.c_str(), real) == nullptr) return std::nullopt;
  return std::string(real);
}

bool IsAsItWas(const std::string& line) {
  return line.rfind(kFilePrefix, 0) != 0 || FileLine(PathOf(line)) == line;
}

}  // namespace

std::optional<std::string> SnapshotFile() {
  unsetenv(kFileVariable);
  const char* folder = secure_getenv(kFolderVariable);
  if (folder == nullptr || folder[0] != '/') return std::nullopt;
  const std::string file = std::string(folder) + kFileInFolder;
  if (setenv(kFileVariable, file.c_str(), 1) != 0) FailErrno("Setting STRATIS_SNAPSHOT in the environment", errno);
  return file;
}

std::optional<std::string> TakeSnapshot(const std::string& file, const std::string& node, const std::string& script,
                                        const std::vector<std::string>& options) {
  const std::string parts = file + kPartsSuffix;
  if (!IsOwn(file.substr(0, file.rfind('/')), S_IFDIR) || !IsOwn(file, S_IFREG) || !IsOwn(parts, S_IFREG)) {
    return std::nullopt;
  }
  std::string optionsLine = "options";
  for (const std::string& option : options) optionsLine += " " + option;
  const std::optional<std::string> realNode = RealPath(node);
  const std::optional<std::string> nodeLine = realNode ? FileLine(*realNode) : std::nullopt;
  const std::optional<std::string> scriptLine = FileLine(script);
  if (!nodeLine || !scriptLine) return std::nullopt;
  const std::vector<std::string> lines = Lines(parts);
  const auto isThere = [&lines](const std::string& line) {
    return std::find(lines.begin(), lines.end(), line) != lines.end();
  };
  if (!isThere(optionsLine) || !isThere(ProcessorLine()) || !isThere(*nodeLine) || !isThere(*scriptLine) ||
      !std::all_of(lines.begin(), lines.end(), IsAsItWas)) {
    return std::nullopt;
  }
  const std::optional<std::string> contentLine = ContentLine(file);
  if (!contentLine || !isThere(*contentLine)) return std::nullopt;
  const std::string tried = file + kTriedSuffix;
  if (rename(file.c_str(), tried.c_str()) != 0) return std::nullopt;
  return tried;
}

}  // namespace stratis::launcher

#include "crypt_device.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <mutex>
#include <set>
#include <tuple>
#include <utility>
#include <vector>

#include "errors.h"
#include "library_messages.h"

namespace stratis {

namespace {

constexpr size_t kMostMessageBytes = 2048;
constexpr size_t kMostMessages = 64;

// Serves in the order of asking: with a plain mutex a long operation that gives up its turn and asks for the next one
// at once would get it again and again.
class Queue {
 public:
  void Enter() {
    std::unique_lock<std::mutex> lock(mutex_);
    const uint64_t ticket = next_++;
    served_.wait(lock, [&] { return serving_ == ticket; });
  }
  void Leave() {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      serving_++;
    }
    served_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable served_;
  uint64_t next_ = 0;
  uint64_t serving_ = 0;
};

// Never destroyed: threads may still wait when the process ends.
Queue& Turns() {
  static auto* queue = new Queue;
  return *queue;
}

// What the library says about an error, in the thread that it happens in.
std::string& Messages() {
  thread_local std::string messages;
  return messages;
}

// The same and more for the log, of one turn.
std::vector<LibraryMessage>& ForTheLog() {
  thread_local std::vector<LibraryMessage> messages;
  return messages;
}

void PassToLog() {
  for (LibraryMessage& message : ForTheLog()) KeepMessage(std::move(message));
  ForTheLog().clear();
}

void KeepError(const char* message, size_t length) {
  std::string& messages = Messages();
  if (messages.size() + length > kMostMessageBytes) return;
  if (!messages.empty()) messages += "; ";
  messages.append(message, length);
}

const char* LevelName(int level) {
  switch (level) {
    case CRYPT_LOG_ERROR:
      return "error";
    case CRYPT_LOG_NORMAL:
      return "normal";
    case CRYPT_LOG_VERBOSE:
      return "verbose";
    default:
      return nullptr;
  }
}

// Debugging is left off: it is hundreds of lines for a call, with all of the header's JSON, which the library writes
// whether or not anybody reads them.
void OnMessage(int level, const char* message, void*) {
  const char* const name = LevelName(level);
  if (name == nullptr || message == nullptr) return;
  const size_t length = std::strcspn(message, "\n");
  if (length == 0) return;
  if (level == CRYPT_LOG_ERROR) KeepError(message, length);
  if (ForTheLog().size() < kMostMessages) ForTheLog().push_back({name, std::string(message, length)});
}

void PrepareLibrary() {
  LoadCryptLibrary();
  static std::once_flag once;
  std::call_once(once, [] {
    crypt_set_log_callback(nullptr, OnMessage, nullptr);
    // Tokens are read here and not by code that somebody else has put into a folder.
    crypt_token_external_disable();
  });
}

struct Marks {
  std::mutex mutex;
  std::set<DeviceIdentity> devices;
};

Marks& ReencryptionMarks() {
  static auto* marks = new Marks;
  return *marks;
}

DeviceIdentity Identify(const std::string& path) {
  struct stat status;
  if (stat(path.c_str(), &status) != 0) throw NativeError(errno, "stat", path);
  if (S_ISBLK(status.st_mode)) return {true, static_cast<uint64_t>(status.st_rdev), 0};
  return {false, static_cast<uint64_t>(status.st_dev), static_cast<uint64_t>(status.st_ino)};
}

}  // namespace

bool DeviceIdentity::operator<(const DeviceIdentity& other) const {
  return std::tie(is_block, device, inode) < std::tie(other.is_block, other.device, other.inode);
}

CryptTurn::CryptTurn() {
  PrepareLibrary();
  Turns().Enter();
  Messages().clear();
  ForTheLog().clear();
}

CryptTurn::~CryptTurn() {
  PassToLog();
  Turns().Leave();
}

void CryptTurn::Yield() {
  PassToLog();
  Turns().Leave();
  Turns().Enter();
}

ReencryptionMark::ReencryptionMark(const std::string& path) : identity_(Identify(path)) {
  Marks& marks = ReencryptionMarks();
  const std::lock_guard<std::mutex> lock(marks.mutex);
  if (!marks.devices.insert(identity_).second)
    throw NativeError(EBUSY, "crypt_reencrypt_run", path, "it is being re-encrypted already");
}

ReencryptionMark::~ReencryptionMark() {
  Marks& marks = ReencryptionMarks();
  const std::lock_guard<std::mutex> lock(marks.mutex);
  marks.devices.erase(identity_);
}

int CheckCrypt(int result, const char* call, const std::string& target, const std::string& detail) {
  if (result >= 0) return result;
  std::string text = detail;
  if (!Messages().empty()) text += (text.empty() ? "" : ": ") + Messages();
  throw NativeError(-result, call, target, text);
}

CryptDevice::CryptDevice(const std::string& path, Use use) : path_(path) {
  // In any case: the library has one error, ENOTBLK, for all that may be wrong with a path.
  const DeviceIdentity identity = Identify(path);
  if (use == Use::kChange) {
    Marks& marks = ReencryptionMarks();
    const std::lock_guard<std::mutex> lock(marks.mutex);
    if (marks.devices.count(identity) != 0)
      throw NativeError(EBUSY, "crypt_init", path, "it is being re-encrypted");
  }
  CheckCrypt(crypt_init(&context_, path.c_str()), "crypt_init", path);
}

CryptDevice::~CryptDevice() { crypt_free(context_); }

bool CryptDevice::Load() {
  const int result = crypt_load(context_, CRYPT_LUKS2, nullptr);
  // Neither of the two copies of a header is right, or there is none.
  if (result == -EINVAL) {
    // An answer, which the library takes for an error.
    ForTheLog().clear();
    return false;
  }
  Check(result, "crypt_load");
  return true;
}

void CryptDevice::RequireHeader() {
  if (!Load()) Check(-ENODATA, "crypt_load", "it has no LUKS2 header");
}

bool CryptDevice::ReencryptionPending() const {
  return crypt_reencrypt_status(context_, nullptr) != CRYPT_REENCRYPT_NONE;
}

int CryptDevice::Check(int result, const char* call, const std::string& detail) const {
  return CheckCrypt(result, call, path_, detail);
}

}  // namespace stratis

#include "dm_ioctl.h"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <deque>
#include <mutex>

#include "dm_call.h"
#include "errors.h"
#include "udev_cookie.h"

namespace stratis {

namespace {

constexpr const char* kControlNode = "/dev/mapper/control";

// A call with what came of it.
struct PlannedCall {
  explicit PlannedCall(const DmRequest& request) : call(request) {}

  DmCall call;
  SysResult result;
  bool ignored = false;
};

struct PlannedStep {
  explicit PlannedStep(const DmStep& step) : action(step.request), ignore(step.ignore) {}

  PlannedCall action;
  std::deque<PlannedCall> undo;
  const std::vector<int>& ignore;
};

// All memory is taken by the constructor. udev is waited for at the end only: its rules start programs, which could need
// a device that the sequence has suspended, and take their time, in which a pool that is to grow can run full.
class Sequence {
 public:
  explicit Sequence(const std::vector<DmStep>& steps);
  void Run(int control);
  std::vector<std::optional<DmReply>> Replies() const;
  // The failure of Run, if any.
  std::optional<NativeError> Failure() const;

 private:
  static size_t CountCalls(const std::vector<DmStep>& steps);
  SysResult RunCall(PlannedCall& planned, int control, bool udev);
  bool Ignored(const PlannedStep& step, const SysResult& result) const;
  bool AwaitUdev();
  void RunSteps(int control, bool udev);
  void RunUndo(int control, bool udev);

  std::deque<PlannedStep> steps_;
  std::vector<PlannedCall*> awaiting_udev_;
  std::optional<uint32_t> failed_step_;
};

Sequence::Sequence(const std::vector<DmStep>& steps) {
  for (const DmStep& step : steps) {
    PlannedStep& planned = steps_.emplace_back(step);
    for (const DmRequest& request : step.undo) planned.undo.emplace_back(request);
  }
  awaiting_udev_.reserve(CountCalls(steps));
}

size_t Sequence::CountCalls(const std::vector<DmStep>& steps) {
  size_t count = 0;
  for (const DmStep& step : steps) count += 1 + step.undo.size();
  return count;
}

SysResult Sequence::RunCall(PlannedCall& planned, int control, bool udev) {
  planned.result = planned.call.Run(control, udev);
  if (planned.call.awaits_udev()) awaiting_udev_.push_back(&planned);
  return planned.result;
}

bool Sequence::Ignored(const PlannedStep& step, const SysResult& result) const {
  return std::find(step.ignore.begin(), step.ignore.end(), result.number) != step.ignore.end();
}

// False when udev failed to answer one of the calls in time, or its semaphore broke.
bool Sequence::AwaitUdev() {
  bool answered = true;
  for (PlannedCall* planned : awaiting_udev_) {
    // Once udev is stuck, waiting for the other calls would only add their time limits.
    const SysResult result = answered ? planned->call.WaitForUdev() : planned->call.CancelWait();
    if (result.ok()) continue;
    planned->result = result;
    answered = false;
  }
  awaiting_udev_.clear();
  return answered;
}

void Sequence::RunSteps(int control, bool udev) {
  for (PlannedStep& step : steps_) {
    PlannedCall& action = step.action;
    if (RunCall(action, control, udev).ok()) continue;
    action.ignored = Ignored(step, action.result);
    if (!action.ignored) return;
  }
  if (AwaitUdev()) return;
  for (PlannedStep& waited : steps_)
    if (waited.action.call.took_effect()) waited.action.ignored |= Ignored(waited, waited.action.result);
}

void Sequence::RunUndo(int control, bool udev) {
  for (auto step = steps_.rbegin(); step != steps_.rend(); ++step) {
    // A step that failed changed nothing; one whose ioctl succeeded while udev didn't answer did.
    if (!step->action.call.took_effect()) continue;
    for (PlannedCall& undo : step->undo) RunCall(undo, control, udev);
  }
}

void Sequence::Run(int control) {
  const bool udev = UdevCookie::Usable();
  RunSteps(control, udev);
  for (uint32_t i = 0; i < steps_.size() && !failed_step_; i++)
    if (!steps_[i].action.result.ok() && !steps_[i].action.ignored) failed_step_ = i;
  if (failed_step_) RunUndo(control, udev);
  // For the undo's calls, and for those before a failure.
  AwaitUdev();
}

std::vector<std::optional<DmReply>> Sequence::Replies() const {
  std::vector<std::optional<DmReply>> replies(steps_.size());
  for (uint32_t i = 0; i < steps_.size(); i++) {
    if (steps_[i].action.ignored) continue;
    try {
      replies[i] = steps_[i].action.call.Reply();
    } catch (NativeError& error) {
      error.step = i;
      error.undo_errors = {"nothing was undone, since all steps had succeeded"};
      throw;
    }
  }
  return replies;
}

std::optional<NativeError> Sequence::Failure() const {
  if (!failed_step_) return std::nullopt;
  const PlannedCall& failed = steps_[*failed_step_].action;
  NativeError error = failed.call.Failure(failed.result);
  error.step = failed_step_;
  error.undo_errors.emplace();
  for (uint32_t i = 0; i < steps_.size(); i++) {
    const PlannedStep& step = steps_[i];
    if (i != *failed_step_ && !step.action.result.ok() && step.action.call.took_effect() && !step.action.ignored)
      error.undo_errors->push_back(step.action.call.Failure(step.action.result).what());
    for (const PlannedCall& undo : step.undo)
      if (!undo.result.ok()) error.undo_errors->push_back(undo.call.Failure(undo.result).what());
  }
  return error;
}

}  // namespace

int DmControlDescriptor() {
  static std::mutex mutex;
  static int control = -1;
  const std::lock_guard<std::mutex> lock(mutex);
  if (control >= 0) return control;
  const int opened = open(kControlNode, O_RDWR | O_CLOEXEC);
  if (opened < 0) {
    const int number = errno;
    const bool absent = number == ENOENT || number == ENODEV || number == ENXIO;
    throw NativeError(number, "open", kControlNode,
                      absent ? "device-mapper is not there: is the kernel module dm_mod loaded?" : "");
  }
  control = opened;
  return control;
}

std::vector<std::optional<DmReply>> RunDmSequence(const std::vector<DmStep>& steps) {
  Sequence sequence(steps);
  int control = -1;
  try {
    control = DmControlDescriptor();
  } catch (NativeError& error) {
    error.step = 0;
    error.undo_errors.emplace();
    throw;
  }
  sequence.Run(control);
  if (const std::optional<NativeError> failure = sequence.Failure()) throw *failure;
  return sequence.Replies();
}

DmReply RunDmRequest(const DmRequest& request) {
  const int control = DmControlDescriptor();
  DmCall call(request);
  SysResult result = call.Run(control, UdevCookie::Usable());
  if (result.ok() && call.awaits_udev()) result = call.WaitForUdev();
  if (!result.ok()) throw call.Failure(result);
  return call.Reply();
}

}  // namespace stratis

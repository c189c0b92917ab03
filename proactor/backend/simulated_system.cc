// SPDX-License-Identifier: Apache-2.0
#include "proactor/backend/simulated_system.h"

#include <poll.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <limits>
#include <span>

#include "absl/strings/str_cat.h"
#include "proactor/backend/simulated_socket.h"

namespace proactor {
namespace {

// One call in so many is interrupted.
constexpr uint64_t kRarely = 16;

bool MayBeInterrupted(SimulatedCall call) {
  switch (call) {
    case SimulatedCall::kAccept:
    case SimulatedCall::kReceive:
    case SimulatedCall::kSend:
    case SimulatedCall::kOpen:
    case SimulatedCall::kRead:
    case SimulatedCall::kWrite:
    case SimulatedCall::kSync:
    case SimulatedCall::kTruncate:
    case SimulatedCall::kSplice:
      return true;
    default:
      return false;
  }
}

std::span<const iovec> PartsOf(const msghdr& message) { return {message.msg_iov, message.msg_iovlen}; }

// Of all parts together, up to `most`.
size_t SizeOf(const msghdr& message, size_t most) {
  size_t size = 0;
  for (const iovec& part : PartsOf(message)) size += std::min(part.iov_len, most - size);
  return size;
}

}  // namespace

SimulatedSystem::SimulatedSystem(SimulationOptions options)
    : options_(options),
      chance_(options.seed, options.short_transfers),
      network_(chance_, options.buffer_size),
      files_(clock_, chance_, options.disk_size),
      standard_input_(new SimulatedPipe{.chance = chance_, .capacity = options.buffer_size, .has_writer = false}),
      standard_output_(new SimulatedPipe{.chance = chance_, .capacity = std::numeric_limits<size_t>::max()}),
      standard_error_(new SimulatedPipe{.chance = chance_, .capacity = std::numeric_limits<size_t>::max()}) {
  descriptors_.push_back(std::make_shared<SimulatedPipeReader>(standard_input_));
  descriptors_.push_back(std::make_shared<SimulatedPipeWriter>(standard_output_));
  descriptors_.push_back(std::make_shared<SimulatedPipeWriter>(standard_error_));
  standard_ = {0, 1, 2};
}

SimulatedSystem::~SimulatedSystem() = default;

// --- Descriptors. ---

int SimulatedSystem::Install(std::shared_ptr<SimulatedDescription> description) {
  ++open_;
  if (free_.empty()) {
    descriptors_.push_back(std::move(description));
    return static_cast<int>(descriptors_.size()) - 1;
  }
  int lowest = *free_.begin();
  free_.erase(free_.begin());
  descriptors_[static_cast<size_t>(lowest)] = std::move(description);
  return lowest;
}

SimulatedDescription* SimulatedSystem::Find(int fd) const {
  return fd >= 0 && static_cast<size_t>(fd) < descriptors_.size() ? descriptors_[static_cast<size_t>(fd)].get()
                                                                  : nullptr;
}

std::shared_ptr<SimulatedDescription> SimulatedSystem::DescriptionOf(int fd) const {
  return Find(fd) != nullptr ? descriptors_[static_cast<size_t>(fd)] : nullptr;
}

int SimulatedSystem::Close(int fd) {
  SimulatedDescription* description = Find(fd);
  if (description == nullptr) return -EBADF;
  description->Close();
  descriptors_[static_cast<size_t>(fd)] = nullptr;
  free_.insert(fd);
  if (standard_.erase(fd) == 0) --open_;
  NoteChange();
  return Fault(SimulatedCall::kClose);
}

std::string SimulatedSystem::DescribeOpenDescriptors() const {
  std::string text;
  for (size_t fd = 0; fd < descriptors_.size(); ++fd) {
    if (descriptors_[fd] == nullptr || standard_.contains(static_cast<int>(fd))) continue;
    absl::StrAppend(&text, fd, ": ", descriptors_[fd]->Describe(), "\n");
  }
  return text;
}

// --- What goes wrong. ---

void SimulatedSystem::FailNext(SimulatedCall call, int error, int times) {
  failures_.insert(failures_.end(), static_cast<size_t>(times), {call, error});
}

int SimulatedSystem::Fault(SimulatedCall call) {
  auto wanted = std::find_if(failures_.begin(), failures_.end(), [&](auto& failure) { return failure.first == call; });
  if (wanted != failures_.end()) {
    int error = wanted->second;
    failures_.erase(wanted);
    // Whatever it was, asking again may help.
    NoteChange();
    return -error;
  }
  return options_.interruptions && MayBeInterrupted(call) && chance_.OneIn(kRarely) ? -EINTR : 0;
}

void SimulatedSystem::NoteChange() {
  ++changes_;
  if (on_change_) on_change_();
}

int SimulatedSystem::Changed(int result) {
  if (result != -EAGAIN && result != -EALREADY) NoteChange();
  return result;
}

template <class Call>
int SimulatedSystem::OnDescription(SimulatedCall kind, int fd, Call call) {
  SimulatedDescription* description = Find(fd);
  if (description == nullptr) return -EBADF;
  if (int failure = Fault(kind); failure < 0) return failure;
  return Changed(call(*description));
}

template <class Call>
int SimulatedSystem::OnSocket(SimulatedCall kind, int fd, Call call) {
  return OnDescription(kind, fd, [&](SimulatedDescription& description) {
    SimulatedSocket* socket = description.socket();
    return socket != nullptr ? call(*socket) : -ENOTSOCK;
  });
}

// --- Sockets. ---

int SimulatedSystem::Socket(int family, int type, int protocol) {
  if (int failure = Fault(SimulatedCall::kSocket); failure < 0) return failure;
  if (family != AF_INET && family != AF_INET6) return -EAFNOSUPPORT;
  if ((type & ~(SOCK_NONBLOCK | SOCK_CLOEXEC)) != SOCK_STREAM) return -ESOCKTNOSUPPORT;
  if (protocol != 0 && protocol != IPPROTO_TCP) return -EPROTONOSUPPORT;
  if (full()) return -EMFILE;
  return Install(std::make_shared<SimulatedSocket>(network_, family));
}

int SimulatedSystem::Bind(int fd, const sockaddr* address, socklen_t size) {
  return OnSocket(SimulatedCall::kBind, fd, [&](SimulatedSocket& socket) { return socket.Bind(address, size); });
}

int SimulatedSystem::Listen(int fd, int backlog) {
  return OnSocket(SimulatedCall::kListen, fd, [&](SimulatedSocket& socket) { return socket.Listen(backlog); });
}

int SimulatedSystem::Accept(int fd, sockaddr* address, socklen_t* size) {
  return OnSocket(SimulatedCall::kAccept, fd, [&](SimulatedSocket& listener) {
    // Linux takes a number first: without one, it does not look whether there is a connection.
    if (full()) return -EMFILE;
    std::shared_ptr<SimulatedSocket> connection;
    if (int result = listener.Accept(connection); result < 0) return result;
    if (address != nullptr) connection->GetPeerName(address, size);
    return Install(std::move(connection));
  });
}

int SimulatedSystem::Connect(int fd, const sockaddr* address, socklen_t size) {
  return OnSocket(SimulatedCall::kConnect, fd, [&](SimulatedSocket& socket) { return socket.Connect(address, size); });
}

int SimulatedSystem::Receive(int fd, void* buffer, size_t size) {
  return OnSocket(SimulatedCall::kReceive, fd, [&](SimulatedSocket& socket) {
    return socket.Receive(static_cast<char*>(buffer), std::min(size, kLargestTransfer));
  });
}

int SimulatedSystem::Send(int fd, const void* bytes, size_t size) {
  return OnSocket(SimulatedCall::kSend, fd, [&](SimulatedSocket& socket) {
    return socket.Send(static_cast<const char*>(bytes), std::min(size, kLargestTransfer));
  });
}

// By way of one buffer, which need not be larger than what a connection holds.
int SimulatedSystem::ReceiveMessage(int fd, msghdr& message) {
  std::string bytes(SizeOf(message, options_.buffer_size), '\0');
  int result = Receive(fd, bytes.data(), bytes.size());
  std::string_view rest = std::string_view(bytes).substr(0, static_cast<size_t>(std::max(result, 0)));
  for (const iovec& part : PartsOf(message)) {
    size_t count = rest.copy(static_cast<char*>(part.iov_base), part.iov_len);
    rest.remove_prefix(count);
  }
  return result;
}

int SimulatedSystem::SendMessage(int fd, const msghdr& message, bool) {
  std::string bytes;
  size_t size = SizeOf(message, options_.buffer_size);
  for (const iovec& part : PartsOf(message)) {
    bytes.append(static_cast<const char*>(part.iov_base), std::min(part.iov_len, size - bytes.size()));
  }
  return Send(fd, bytes.data(), bytes.size());
}

int SimulatedSystem::Shutdown(int fd, int how) {
  SimulatedDescription* description = Find(fd);
  if (description == nullptr) return -EBADF;
  return description->socket() != nullptr ? Changed(description->socket()->Shutdown(how)) : -ENOTSOCK;
}

int SimulatedSystem::SetSocketOption(int fd, int level, int name, const void* value, socklen_t size) {
  SimulatedDescription* description = Find(fd);
  if (description == nullptr) return -EBADF;
  return description->socket() != nullptr ? description->socket()->SetOption(level, name, value, size) : -ENOTSOCK;
}

int SimulatedSystem::GetSocketOption(int fd, int level, int name, void* value, socklen_t* size) {
  SimulatedDescription* description = Find(fd);
  if (description == nullptr) return -EBADF;
  return description->socket() != nullptr ? description->socket()->GetOption(level, name, value, size) : -ENOTSOCK;
}

int SimulatedSystem::SocketName(int fd, sockaddr* address, socklen_t* size) {
  SimulatedDescription* description = Find(fd);
  if (description == nullptr) return -EBADF;
  return description->socket() != nullptr ? description->socket()->GetName(address, size) : -ENOTSOCK;
}

int SimulatedSystem::PeerName(int fd, sockaddr* address, socklen_t* size) {
  SimulatedDescription* description = Find(fd);
  if (description == nullptr) return -EBADF;
  return description->socket() != nullptr ? description->socket()->GetPeerName(address, size) : -ENOTSOCK;
}

bool SimulatedSystem::AbortNextConnection(int listener) {
  SimulatedDescription* description = Find(listener);
  NoteChange();
  return description != nullptr && description->socket() != nullptr && description->socket()->AbortNextConnection();
}

// --- Files. ---

int SimulatedSystem::Open(const char* path, int flags, mode_t mode) {
  if (int failure = Fault(SimulatedCall::kOpen); failure < 0) return failure;
  if (full()) return -EMFILE;
  std::shared_ptr<SimulatedDescription> file;
  int result = files_.Open(path, flags, mode, file);
  return result < 0 ? result : Install(std::move(file));
}

int SimulatedSystem::Read(int fd, void* buffer, size_t size, int64_t offset) {
  return OnDescription(SimulatedCall::kRead, fd, [&](SimulatedDescription& description) {
    return description.Read(static_cast<char*>(buffer), std::min(size, kLargestTransfer), offset);
  });
}

int SimulatedSystem::Write(int fd, const void* bytes, size_t size, int64_t offset) {
  return OnDescription(SimulatedCall::kWrite, fd, [&](SimulatedDescription& description) {
    return description.Write(static_cast<const char*>(bytes), std::min(size, kLargestTransfer), offset);
  });
}

int SimulatedSystem::Sync(int fd, bool) {
  return OnDescription(SimulatedCall::kSync, fd, [](SimulatedDescription& description) { return description.Sync(); });
}

int SimulatedSystem::Stat(int fd, unsigned, struct statx* result) {
  SimulatedDescription* description = Find(fd);
  if (description == nullptr) return -EBADF;
  *result = {};
  result->stx_mask = STATX_BASIC_STATS;
  description->Stat(*result);
  return 0;
}

int SimulatedSystem::Truncate(int fd, int64_t size) {
  return OnDescription(SimulatedCall::kTruncate, fd,
                       [&](SimulatedDescription& description) { return description.Truncate(size); });
}

int SimulatedSystem::Splice(int from, int pipe, size_t size) {
  SimulatedDescription* input = Find(from);
  if (input == nullptr) return -EBADF;
  return OnDescription(SimulatedCall::kSplice, pipe, [&](SimulatedDescription& output) {
    return output.SpliceFrom(*input, std::min(size, kLargestTransfer));
  });
}

int SimulatedSystem::Poll(int fd, short events) {
  SimulatedDescription* description = Find(fd);
  if (description == nullptr) return POLLNVAL;
  std::optional<SimulatedReadiness> readiness = description->Poll();
  return readiness.has_value() ? static_cast<int>(readiness->events) & (events | POLLERR | POLLHUP)
                               : events & (POLLIN | POLLOUT);
}

void SimulatedSystem::WriteFile(const std::string& path, std::string_view contents) {
  files_.Write(path, contents);
  NoteChange();
}

// --- Signals. ---

void SimulatedSystem::Raise(int signal) {
  signals_.Raise(signal);
  NoteChange();
}

int SimulatedSystem::SetSignalMask(int how, const sigset_t& signals, sigset_t* before) {
  return signals_.SetMask(how, signals, before);
}

int SimulatedSystem::SignalDescriptor(const sigset_t& signals) {
  if (full()) return -EMFILE;
  return Install(std::make_shared<SimulatedSignalDescriptor>(signals_, signals));
}

// --- Pipes. ---

void SimulatedSystem::SetStandardInput(std::string_view bytes) {
  standard_input_->bytes.assign(bytes.begin(), bytes.end());
  EndStandardInput();
}

void SimulatedSystem::FeedStandardInput(std::string_view bytes) {
  standard_input_->bytes.insert(standard_input_->bytes.end(), bytes.begin(), bytes.end());
  standard_input_->has_writer = true;
  ++standard_input_->wakes;
  NoteChange();
}

void SimulatedSystem::EndStandardInput() {
  standard_input_->has_writer = false;
  ++standard_input_->wakes;
  NoteChange();
}

std::pair<int, int> SimulatedSystem::MakePipe() {
  auto pipe = std::make_shared<SimulatedPipe>(SimulatedPipe{.chance = chance_, .capacity = options_.buffer_size});
  int reader = Install(std::make_shared<SimulatedPipeReader>(pipe));
  return {reader, Install(std::make_shared<SimulatedPipeWriter>(pipe))};
}

}  // namespace proactor

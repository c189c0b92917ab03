// SPDX-License-Identifier: Apache-2.0
//
// open, read, write, the two at offsets, fsync, statx, ftruncate, splice, close.
#include <string_view>
#include <utility>

#include "proactor/errors.h"
#include "proactor/fs/file.h"
#include "proactor/task_group.h"
#include "proactor/try.h"
#include "tests/stress/race.h"

namespace proactor {
namespace {

constexpr size_t kSize = 2000;

Task<absl::StatusOr<File>> CreateInterrupted(Race& race) {
  while (true) {
    absl::StatusOr<File> file = co_await race.Interrupted(File::Create(race.system.directory + "/race"));
    if (file.ok() || !Interruption(file.status())) co_return file;
    co_await Try(LetTimePass());
  }
}

// At the position: each piece goes on where the last got to.
Task<absl::Status> WriteInterrupted(Race& race, File& file, std::string_view text) {
  for (std::string_view rest = text; !rest.empty();) {
    std::string_view piece = rest.substr(0, race.UpTo(700));
    absl::Status status = co_await race.Interrupted(file.WriteAll(piece));
    if (!status.ok() && !Interruption(status)) co_return status;
    rest.remove_prefix(status.ok() ? piece.size() : BytesTransferred(status).value_or(0));
  }
  co_return absl::OkStatus();
}

Task<absl::StatusOr<std::string>> ReadInterrupted(Race& race, File& file) {
  std::string all;
  char buffer[300];
  while (true) {
    absl::StatusOr<size_t> n = co_await race.Interrupted(file.Read({buffer, race.UpTo(300)}));
    if (!n.ok() && !Interruption(n.status())) co_return n.status();
    if (!n.ok()) {
      co_await Try(LetTimePass());
      continue;
    }
    if (*n == 0) co_return all;
    all.append(buffer, *n);
  }
}

Task<absl::Status> AtThePosition(Race& race) {
  const std::string text = Pattern(kSize);
  File file = co_await Try(CreateInterrupted(race));
  co_await Try(WriteInterrupted(race, file, text));
  File again = co_await Try(File::Open(race.system.directory + "/race"));
  std::string read = co_await Try(ReadInterrupted(race, again));
  co_return Expect(read == text, "bytes of the file are wrong");
}

Task<absl::Status> AtOffsets(Race& race) {
  const std::string text = Pattern(kSize);
  File file = co_await Try(CreateInterrupted(race));
  co_await Try(file.WriteAll(text));
  // Over the same bytes: whatever happens, what is there afterwards is the same.
  for (int i = 0; i < 8; ++i) {
    size_t at = static_cast<size_t>(race.Below(1000));
    absl::Status status =
        co_await race.Interrupted(file.WriteAllAt(static_cast<int64_t>(at), {text.data() + at, 1000}));
    co_await Try(Uninterrupted(status));
  }
  std::string read;
  while (read.size() < text.size()) {
    char buffer[700];
    absl::StatusOr<size_t> n = co_await race.Interrupted(file.ReadAt(static_cast<int64_t>(read.size()), buffer));
    if (!n.ok() && !Interruption(n.status())) co_return n.status();
    if (n.ok()) read.append(buffer, *n);
  }
  co_return Expect(read == text, "bytes of the file are wrong");
}

Task<absl::Status> OfTheWholeFile(Race& race) {
  File file = co_await Try(CreateInterrupted(race));
  co_await Try(file.WriteAll(Pattern(kSize)));
  for (int i = 0; i < 4; ++i) {
    co_await Try(Uninterrupted(co_await race.Interrupted(file.Sync())));
    co_await Try(Uninterrupted(co_await race.Interrupted(file.Truncate(kSize))));
    absl::StatusOr<FileStatus> facts = co_await race.Interrupted(file.Stat());
    co_await Try(Uninterrupted(facts.status()));
    if (facts.ok() && facts->size != kSize) co_return absl::DataLossError("the size is wrong");
  }
  // Closed or not, it is not open afterwards.
  co_return Uninterrupted(co_await race.Interrupted(file.Close()));
}

// From a file into a pipe, while somebody reads the pipe.
Task<absl::Status> Splices(Race& race) {
  const std::string text = Pattern(kSize);
  File written = co_await Try(CreateInterrupted(race));
  co_await Try(written.WriteAll(text));
  File file = co_await Try(File::Open(race.system.directory + "/race"));
  std::pair<int, int> ends = co_await Try(race.system.pipe());
  File output = co_await Try(File::Adopt(ends.first));
  File input = co_await Try(File::Adopt(ends.second));
  std::string received;
  auto splicer = [&]() -> Task<absl::Status> {
    while (true) {
      absl::StatusOr<size_t> n = co_await race.Interrupted(file.SpliceTo(input, race.UpTo(500)));
      if (!n.ok() && !Interruption(n.status())) co_return n.status();
      if (n.ok() && *n == 0) co_return co_await input.Close();
      co_await Try(Sleep(race.Moment()));
    }
  };
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    group.Spawn(splicer());
    received = co_await Try(ReadInterrupted(race, output));
    co_return absl::OkStatus();
  };
  co_await Try(WithTaskGroup(body));
  co_return Expect(received == text, "bytes were lost, repeated or mixed up");
}

constexpr Scenario kScenarios[] = {{"FilesAtThePosition", &AtThePosition},
                                   {"FilesAtOffsets", &AtOffsets},
                                   {"FilesAsAWhole", &OfTheWholeFile},
                                   {"Splices", &Splices}};

}  // namespace

std::span<const Scenario> FileScenarios() { return kScenarios; }

}  // namespace proactor

#include "crit-dump/packed_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>

#include "cli/inputs.hpp"
#include "critpipe/control/jobs.hpp"
#include "critpipe/source.hpp"

namespace critpipe::filters {

namespace {

constexpr const char* stats_name = "stats-dump";

// What CRIU writes to the end, or only then.
bool is_late(const std::string& name) { return name == dump_log_name || name == stats_name; }

// What lies in a directory of images, as it goes into an archive: what is small first, pages last. Links and
// directories with an image's name stay: opening them says what they are.
std::vector<std::string> names_in_order(const std::string& path, Error& error) {
  std::vector<std::string> names;
  std::error_code failed;
  for (std::filesystem::directory_iterator at{path, failed}, end; !failed && at != end; at.increment(failed)) {
    const std::string name = at->path().filename().string();
    const bool is_regular = at->symlink_status(failed).type() == std::filesystem::file_type::regular;
    if (failed) break;
    if (is_regular || is_image_name(name)) names.push_back(name);
  }
  if (failed) error = system_error(Reason::io_read, path, failed.value());
  std::sort(names.begin(), names.end(), [](const std::string& a, const std::string& b) {
    return std::pair{rank_of(a), a} < std::pair{rank_of(b), b};
  });
  return names;
}

}  // namespace

PackedFile::PackedFile(Program& program, HiddenDirectory& directory, const SignalDescriptor& signals)
    : program_{program}, directory_{directory}, signals_{signals}, images_{images_out(program)} {
  images_->expect_stream();
  // A single processor is CRIU's.
  PackedAhead* const ahead = threads_of(program, "threads", 8) > 1 ? images_->ahead() : nullptr;
  if (ahead) ahead_ = std::make_unique<PagesAhead>(*ahead, directory.path());
}

// False: it could not be written.
bool PackedFile::add(const std::string& name, const ImagesOut::Stops& stops) {
  Error error;
  const Directory from{directory_.path(), error};
  InputFile file = error ? InputFile{} : from.open(name, error);
  const Step step = error ? Step::go : images_->copy(name, file, error, stops);
  if (error) program_.report(error);
  added_.insert(name);
  return step == Step::go && !program_.failed();
}

bool PackedFile::add_images() {
  ahead_.reset();
  Error error;
  const std::vector<std::string> names = names_in_order(directory_.path(), error);
  if (error) program_.report(error);
  const auto stops = [this] { return signals_.has_come(); };
  bool goes_on = !error, is_bulk = false;
  for (const std::string& name : names) {
    if (!goes_on || stops()) break;
    if (is_late(name)) continue;
    if (!is_bulk && rank_of(name) >= Rank::bulk) {
      is_bulk = true;
      goes_on = images_->bulk_follows() == Step::go;
    }
    goes_on = goes_on && add(name, stops);
  }
  if (stops()) return false;
  goes_on = goes_on && images_->write_held() == Step::go && !program_.failed();
  if (!goes_on) (void)images_->commit();  // which says why
  return goes_on && reserve_room() && !stops();
}

// What follows is small; that there is room for it, too, is seen while the tree can still run on.
bool PackedFile::reserve_room() {
  constexpr const char* name = ".reserve";
  constexpr off_t least = 256 << 10;
  struct stat log;
  const off_t size = (fstatat(directory_.fd(), dump_log_name, &log, 0) == 0 ? log.st_size * 2 : 0) +
                     static_cast<off_t>(images_->most_held());
  const OwnedDescriptor file{openat(directory_.fd(), name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600)};
  const int failed = file ? posix_fallocate(file.fd(), 0, size + least) : errno;
  if (failed) program_.report(system_error(Reason::io_write, program_.value("output").value_or(""), failed));
  if (file) unlinkat(directory_.fd(), name, 0);
  return failed == 0;
}

bool PackedFile::finish() {
  ahead_.reset();
  Error error;
  const std::vector<std::string> names = names_in_order(directory_.path(), error);
  if (error) program_.report(error);
  for (const std::string& name : names)
    if (!added_.contains(name) && !add(name, {})) break;
  return images_->commit() == exit_done && !program_.failed();
}

}  // namespace critpipe::filters

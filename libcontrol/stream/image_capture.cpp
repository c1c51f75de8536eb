// Capture: pipes of images on one side, shards of an image stream on the other.
//
// An image that has bytes is given to a shard that has room: marker and bytes together, as many as wait in the image's
// pipe. While a shard is full, others go on; the order of the markers is that in which they were given out.
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <deque>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "critpipe/image_writer.hpp"
#include "stream/capture_output.hpp"
#include "stream/streamer_end.hpp"

namespace critpipe {

namespace {

constexpr const char* socket_name = "streamer-capture.sock";
constexpr const char* first_image = "cpuinfo.img";   // of a dump; it may be the only one
constexpr const char* last_image = "inventory.img";  // of a whole one
constexpr std::uint64_t most_alone = 4 << 20;        // of an image at a time, where there is one shard
constexpr int pipe_bytes = 4 << 20;                  // of an image's pipe; CRIU has trouble with larger ones
constexpr int most_chunks = 64;                      // of one step
constexpr int large_bytes = 1 << 15;                 // that wait in one: it is enlarged
constexpr std::uint64_t no_input = ~std::uint64_t{0};
constexpr std::size_t most_name_bytes = 16 << 20;  // of all names
constexpr std::uint64_t output_bit = std::uint64_t{1} << 61;

// An image on its way.
struct Input {
  std::string name;
  OwnedDescriptor file;
  bool is_of_criu = false;
  bool is_pipe = false, is_file = false;
  bool has_bytes = false;  // that went out
  bool has_ended = false;  // nobody writes to it any more
  bool is_large = false;   // its pipe has been enlarged

  // How many bytes wait in it; -1: errno says why that is not known.
  std::int64_t waiting() const {
    int bytes = 0;
    if (!is_file) return ioctl(file.fd(), FIONREAD, &bytes) == 0 ? bytes : -1;
    struct stat status;
    const off_t at = lseek(file.fd(), 0, SEEK_CUR);
    return at < 0 || fstat(file.fd(), &status) != 0 ? -1 : std::max<std::int64_t>(status.st_size - at, 0);
  }
  // A pipe that was found full is one of many bytes.
  void enlarge() {
    is_large = true;
    for (int size = pipe_bytes; size > fcntl(file.fd(), F_GETPIPE_SZ) && fcntl(file.fd(), F_SETPIPE_SZ, size) < 0;)
      size /= 2;
  }
};

struct Shard {
  Shard(int fd, std::string name, bool copies, std::uint64_t its_number)
      : output{fd, std::move(name), copies}, number{its_number} {}
  CaptureOutput output;
  std::uint64_t number;
  std::uint64_t input = no_input;  // whose bytes it is busy with
};

}  // namespace

struct ImageCapture::Capture final : StreamerEnd::State {
  explicit Capture(CaptureOptions given) : State{socket_name}, options{std::move(given)} {}

  Error on_request(const std::string& name) override;
  Error on_pipe(const std::string& name, OwnedDescriptor pipe) override;
  Error on_closed() override { return {}; }
  Error on_event(std::uint64_t key, std::uint32_t what) override;
  Error work(bool& more) override;
  bool has_ended() override { return is_finished && shards_are_idle() && (will_end || !options.waits_for_end); }
  Error on_stop() override { return named_error(Reason::incomplete_checkpoint, "CRIU", "its dump was stopped"); }
  void release() override;

  Error add(const std::string& name, OwnedDescriptor file, bool is_of_criu);
  Error check_name(const std::string& name);
  bool shards_are_idle() const;
  Shard* free_shard() const;
  Error pump(Shard& shard);
  Error move_next(Shard& shard);
  Error try_to_finish();

  CaptureOptions options;
  std::vector<std::unique_ptr<Shard>> shards;
  std::unordered_map<std::uint64_t, Input> inputs;
  std::deque<std::uint64_t> ready;  // inputs that have bytes, or have ended
  std::unordered_set<std::string> names;
  std::size_t name_bytes = 0;
  StreamMarkers markers;
  std::uint64_t next_id = 0;
  std::uint64_t nr_images = 0;   // CRIU's
  std::uint64_t nr_of_criu = 0;  // that are open
  bool has_started = false;
  bool has_last = false;  // is complete
  bool has_first_only = true;
  bool wants_mark = false;   // the end may be put
  bool will_end = false;     // and nothing follows it
  bool is_finished = false;  // the stream has its end, as soon as the outputs have taken it
};

Error ImageCapture::Capture::check_name(const std::string& name) {
  if (Error error = TarWriter::check_name(name)) return error;
  if (names.size() == max_members || (name_bytes += name.size()) > most_name_bytes)
    return named_error(Reason::limit_members, name, visible(name));
  if (!names.insert(name).second) return named_error(Reason::bad_duplicate, name, visible(name));
  return {};
}

Error ImageCapture::Capture::on_request(const std::string& name) {
  if (is_finished) return named_error(Reason::bad_request, name, "it comes behind the last image");
  if (Error error = check_name(name)) return error;
  if (nr_of_criu == max_open_members) return named_error(Reason::limit_members, name, visible(name));
  ++nr_images;
  has_first_only &= name == first_image;
  if (!has_started && name != first_image) {
    has_started = true;
    if (options.on_start) options.on_start();
  }
  socket.take_pipe();
  return {};
}

Error ImageCapture::Capture::on_pipe(const std::string& name, OwnedDescriptor pipe) {
  struct stat status;
  if (fstat(pipe.fd(), &status) != 0 || !S_ISFIFO(status.st_mode) ||
      (fcntl(pipe.fd(), F_GETFL) & O_ACCMODE) == O_WRONLY)
    return named_error(Reason::bad_request, name, "what comes for it is not the read end of a pipe");
  return add(name, std::move(pipe), true);
}

Error ImageCapture::Capture::add(const std::string& name, OwnedDescriptor file, bool is_of_criu) {
  const std::uint64_t id = next_id++;
  Input input{name, std::move(file), is_of_criu};
  struct stat status;
  if (fstat(input.file.fd(), &status) != 0) return system_error(Reason::io_read, name, errno);
  input.is_pipe = S_ISFIFO(status.st_mode);
  input.is_file = S_ISREG(status.st_mode);
  if (input.waiting() < 0 || (!input.is_file && !events.add(input.file.fd(), EPOLLIN | EPOLLONESHOT, id)))
    return system_error(Reason::io_read, name, errno);
  if (input.is_file) {
    ready.push_back(id);
    events.wake();
  }
  nr_of_criu += is_of_criu ? 1 : 0;
  is_finished = false;
  inputs.emplace(id, std::move(input));
  return {};
}

Error ImageCapture::Capture::on_event(std::uint64_t key, std::uint32_t what) {
  if ((key & output_bit) != 0) {
    Shard& shard = *shards[static_cast<std::size_t>(key & ~output_bit)];
    if ((what & EPOLLOUT) == 0) return system_error(Reason::io_write, shard.output.name(), EPIPE);
    events.change(shard.output.fd(), 0, key);
    shard.output.may_have_room();
    return pump(shard);
  }
  const auto found = inputs.find(key);
  if (found == inputs.end()) return {};
  // The end of a pipe shows by itself, that of a socket as a read of nothing.
  found->second.has_ended |= (what & (EPOLLHUP | EPOLLERR)) != 0 || !found->second.is_pipe;
  ready.push_back(key);
  return {};
}

bool ImageCapture::Capture::shards_are_idle() const {
  return std::ranges::none_of(shards, [](const auto& shard) { return shard->output.is_busy(); });
}

// The one with most room.
Shard* ImageCapture::Capture::free_shard() const {
  Shard* best = nullptr;
  std::uint64_t most = 0;
  for (const auto& shard : shards) {
    if (shard->output.is_busy()) continue;
    if (shards.size() == 1) return shard.get();
    const std::uint64_t room = shard->output.room();
    if (best && room <= most) continue;
    best = shard.get();
    most = room;
  }
  return best;
}

Error ImageCapture::Capture::pump(Shard& shard) {
  CaptureOutput& output = shard.output;
  if (!output.pump()) return output.error();
  if (output.is_waiting()) events.change(output.fd(), EPOLLOUT, output_bit | shard.number);
  // What it was busy with may have more.
  if (!output.is_busy() && shard.input != no_input) ready.push_back(std::exchange(shard.input, no_input));
  return {};
}

// Gives the next image's bytes, or its end, to a free shard.
Error ImageCapture::Capture::move_next(Shard& shard) {
  const std::uint64_t id = ready.front();
  ready.pop_front();
  Input& input = inputs.at(id);
  const std::int64_t waiting = input.waiting();
  if (waiting < 0) return system_error(Reason::io_read, input.name, errno);
  std::string text;
  if (waiting > 0) {
    if (!input.is_pipe) input.has_ended = false;
    else if (!input.is_large && waiting >= large_bytes) input.enlarge();
    const std::uint64_t most = shards.size() == 1 ? most_alone : shard.output.chunk();
    const std::uint64_t size = std::min(static_cast<std::uint64_t>(waiting), most);
    markers.data(text, input.name, static_cast<std::uint32_t>(size));
    shard.output.put(std::move(text), input.file.fd(), size, input.name);
    shard.input = id;
    input.has_bytes = true;
  } else if (input.has_ended || input.is_file) {
    markers.end(text, input.name);
    shard.output.put(std::move(text), -1, 0, input.name);
    nr_of_criu -= input.is_of_criu ? 1 : 0;
    has_last |= input.is_of_criu && input.name == last_image && input.has_bytes;
    inputs.erase(id);  // and closes it
  } else {
    events.change(input.file.fd(), EPOLLIN | EPOLLONESHOT, id);
    return {};
  }
  return pump(shard);
}

Error ImageCapture::Capture::work(bool& more) {
  Shard* shard = nullptr;
  for (int i = 0; i < most_chunks && !ready.empty() && (shard = free_shard()); ++i)
    if (Error error = move_next(*shard)) return error;
  more = !ready.empty() && free_shard();
  return try_to_finish();
}

Error ImageCapture::Capture::try_to_finish() {
  // While post-dump is answered, CRIU has sent its last image and keeps its connection.
  const bool is_all = has_closed || (has_last && options.waits_for_end);
  if (is_finished || !is_all || nr_of_criu > 0) return {};
  if (!has_last && (nr_images == 0 || !has_first_only))
    return named_error(Reason::incomplete_checkpoint, "CRIU",
                       nr_images == 0 ? "CRIU has gone without sending an image"
                                      : "CRIU has gone before inventory.img, its last image");
  if (!inputs.empty() || (options.waits_for_end && !wants_mark)) return {};
  Shard* const shard = free_shard();
  if (!shard) return {};
  is_finished = true;
  std::string text;
  markers.finish(text);
  shard->output.put(std::move(text), -1, 0, {});
  return pump(*shard);
}

void ImageCapture::Capture::release() {
  inputs.clear();
  ready.clear();
  for (const auto& shard : shards) {
    events.remove(shard->output.fd());
    shard->output.release();
  }
}

ImageCapture::ImageCapture(CaptureOptions options) : StreamerEnd{std::make_unique<Capture>(std::move(options))} {}
ImageCapture::~ImageCapture() = default;
ImageCapture::Capture& ImageCapture::capture() const { return static_cast<Capture&>(*state_); }

Error ImageCapture::add_output(int fd, std::string name) {
  Capture& to = capture();
  auto shard = std::make_unique<Shard>(fd, std::move(name), to.options.copies, to.shards.size());
  if (Error error = shard->output.error()) return error;
  if (!to.events.add(fd, 0, output_bit | shard->number) && errno != EPERM)
    return system_error(Reason::io_write, shard->output.name(), errno);
  to.shards.push_back(std::move(shard));
  return {};
}

Error ImageCapture::add_file(const std::string& name, OwnedDescriptor file) {
  if (Error error = capture().check_name(name)) return error;
  return capture().add(name, std::move(file), false);
}

void ImageCapture::end() {
  capture().will_end = true;
  end_images();
}

void ImageCapture::end_images() {
  capture().wants_mark = true;
  capture().events.wake();
}

bool ImageCapture::has_end() const { return capture().is_finished && capture().shards_are_idle(); }

bool ImageCapture::has_all_images() const {
  const Capture& from = capture();
  return (from.has_closed || from.has_last) && from.nr_of_criu == 0 && from.shards_are_idle();
}

std::vector<OutputTotals> ImageCapture::totals() const {
  std::vector<OutputTotals> totals;
  for (const auto& shard : capture().shards) totals.push_back(shard->output.totals());
  return totals;
}

std::uint64_t ImageCapture::nr_images() const { return capture().nr_images; }

}  // namespace critpipe

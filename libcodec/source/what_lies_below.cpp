#include "source/what_lies_below.hpp"

#include <algorithm>
#include <array>

#include "source/directory_list.hpp"
#include "source/input_form.hpp"
#include "source/set_places.hpp"

namespace critpipe {

namespace {

// A directory may be of any size, and a message is not worth reading all of it.
constexpr std::size_t most_levels = 4;
constexpr std::size_t most_directories = 1000, most_files = 100;

enum What : std::size_t { checkpoint, pre_dump, pages, images, container_image, archive, nr_whats };
constexpr std::array<std::array<const char*, 2>, nr_whats> words = {
    {{"checkpoint ", "checkpoints "},
     {"pre-dump ", "pre-dumps "},
     {"pages of a page server in ", "pages of a page server in "},
     {"images in ", "images in "},
     {"container image ", "container images "},
     {"archive ", "archives "}}};

class Below {
 public:
  void look(const Directory& directory, const std::string& prefix, std::size_t levels);
  std::string text() const;

 private:
  void look_at(const Directory& directory, const std::string& path, std::size_t levels);
  static bool is_archive(const Directory& directory, const std::string& name);

  std::array<FirstNames, nr_whats> found_;
  FirstNames others_;  // files beside them
  std::size_t nr_directories_ = 0, nr_files_ = 0;
};

void Below::look(const Directory& directory, const std::string& prefix, std::size_t levels) {
  DirectoryNames names;
  if (!names.read(directory)) return;
  for (const std::string& name : names.directories) {
    if (++nr_directories_ > most_directories) return;
    Error error;
    const Directory below = directory.below(name, error);
    if (!error) look_at(below, prefix + name, levels);
  }
  for (const std::string& name : names.files) {
    if (is_image_name(name)) continue;
    if (++nr_files_ <= most_files && is_archive(directory, name)) found_[archive].add(prefix + name);
    else others_.add(prefix + name);
  }
}

void Below::look_at(const Directory& directory, const std::string& path, std::size_t levels) {
  DirectoryNames names;
  if (!names.read(directory)) return;
  if (std::ranges::none_of(names.files, is_image_name)) {
    Error error;
    const Directory usual = directory.below(usual_directory, error);
    if (!error) (void)names.read(usual);
  }
  Error unlisted;
  const auto has = [&](std::string_view name) { return std::ranges::find(names.files, name) != names.files.end(); };
  if (has("pstree.img")) found_[checkpoint].add(path);
  else if (has("inventory.img")) found_[pre_dump].add(path);
  else if (std::ranges::any_of(names.files, [](const auto& name) { return name.starts_with("pagemap-"); }))
    found_[pages].add(path);
  else if (std::ranges::any_of(names.files, is_image_name)) found_[images].add(path);
  else if (!layers_in(directory, unlisted).empty()) found_[container_image].add(path);
  else if (levels > 1) look(directory, path + "/", levels - 1);
}

bool Below::is_archive(const Directory& directory, const std::string& name) {
  Error error;
  InputFile file = directory.open(name, error);
  if (error) return false;
  OpenedInput opened;
  opened.name = name;
  opened.place = file.place();
  read_from(opened, std::move(file), {});
  look_into(opened, {});
  return opened.form && opened.form != &image_form;
}

std::string Below::text() const {
  std::string text;
  for (std::size_t what = 0; what < nr_whats; ++what) {
    const FirstNames& names = found_[what];
    if (names.empty()) continue;
    (text += text.empty() ? "" : "; ").append(words[what][names.size() > 1]).append(names.text());
  }
  if (!text.empty()) return text + ": name one of them";
  return others_.empty() ? "it is empty" : "it holds " + others_.text();
}

}  // namespace

std::string what_lies_below(const Directory& directory) {
  Below below;
  below.look(directory, "", most_levels);
  return below.text();
}

}  // namespace critpipe

#include "report/files_above.hpp"

#include <filesystem>

#include "critpipe/container.hpp"
#include "source/set_places.hpp"

namespace critpipe {

// Docker's configuration is two directories above the images, and that of a bundle one.
void each_file_above(const std::string& directory,
                     const std::function<void(const InputFile&, std::string_view name, std::string_view text)>& use) {
  std::error_code none;
  const std::filesystem::path path = std::filesystem::canonical(directory, none);
  if (none) return;
  const auto read = [&](const std::filesystem::path& above, const char* name) {
    Error error;
    const Directory opened{above.string(), error};
    const InputFile file = error ? InputFile{} : opened.open(name, error);
    if (error || !file.is_open() || file.size() > max_container_file_bytes) return;
    std::string text(static_cast<std::size_t>(file.size()), '\0');
    text.resize(file.pread(std::as_writable_bytes(std::span{text}), 0, error));
    if (std::string_view{name} == "config.json" && text.find("\"ociVersion\"") == std::string::npos) return;
    if (!error) use(file, name, text);
  };
  const bool is_in_container = is_images_directory(path.filename().string());
  const auto above = is_in_container ? path.parent_path() : path;
  if (is_in_container)
    for (const char* name : {"spec.dump", "config.dump", "status.dump", "network.status", "config.json"})
      read(above, name);
  if (above.parent_path().filename() == "checkpoints") {
    read(above.parent_path().parent_path(), "config.v2.json");
    read(above.parent_path().parent_path(), "hostconfig.json");
  } else if (!is_in_container) {
    read(above.parent_path(), "config.json");
  }
}

}  // namespace critpipe

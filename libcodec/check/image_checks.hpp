// Sinks that take from images what rules need. Internal.
#pragma once

#include <memory>

#include "check/checked_images.hpp"

namespace critpipe {

// Takes an image into the set, and passes it on to `model`, which may be null. `report` gets damage that the decoder
// does not see, without the image's name.
std::unique_ptr<Sink> make_image_check(CheckedImages& images, std::string name, std::unique_ptr<Sink> model,
                                       std::function<void(Error)> report);

}  // namespace critpipe

// Images into the model: one row for each kind of image that some need asks for. Internal.
#pragma once

#include "model/model.hpp"

namespace critpipe {

// Takes what the model needs out of an entry; number: in the image's name.
using Take = void(Checkpoint::Model& model, std::uint32_t number, const Entry& entry);
Take take_pstree, take_core, take_ids, take_mm, take_vma, take_pagemap, take_fs, take_fdinfo;
Take take_files, take_own_image, take_watch, take_memfd, take_tty_info, take_packet, take_tcp_stream;

inline bool needs_ids(const Needs& needs) { return needs.ids || needs.descriptors; }

struct Collected {
  std::string_view kind;
  bool (*needed)(const Needs& needs);
  Take* take;
};

const Collected* collected_of(const Kind& kind);  // null: no explorer looks at it

bool is_needed(const Needs& needs, std::string_view name);

// The number in "core-12.img", or in "tcp-stream-1f.img"; 0 where there is none.
std::uint32_t number_in(std::string_view name);

std::unique_ptr<Sink> make_collector(Checkpoint::Model& model, std::string_view name);

}  // namespace critpipe

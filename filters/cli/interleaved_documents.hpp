// Documents of interleaved images, one after the other.
//
// Each image writes into a voice of its own. The first that has much to say speaks: its text goes out as it comes.
// What the others say is held; a document that ends waits for the speaker's end. When too much is held, the speaker
// pauses at the next border of an entry (its document ends with "continued": true), what is complete goes out, and the
// one that holds most speaks.
#pragma once

#include <list>
#include <string>

#include "critpipe/json.hpp"
#include "critpipe/output.hpp"

namespace critpipe::filters {

class Voices {
 public:
  Voices(Output& output, const Limits& limits);
  ~Voices();

  Output& open();
  // Says whom to ask for a pause. Requires: the sink writes into that output and lives until close().
  void bind(Output& voice, JsonSink& sink);
  Step close(Output& voice);  // its document is complete
  // A border between entries, where it could pause.
  void border(Output& voice) {
    if (held_bytes_ > held_documents_bytes) at_border(voice);
  }

 private:
  class Voice;

  bool take(Voice& voice, const char* bytes, std::size_t size);
  bool make_room(Voice& voice);
  void at_border(Output& voice);
  void write_complete();
  void let_speak(Voice& voice);

  Output& output_;
  Limits limits_;
  std::list<Voice> voices_;  // in the order in which they began
  std::list<std::string> complete_;
  Voice* speaker_ = nullptr;
  std::size_t held_bytes_ = 0;
};

}  // namespace critpipe::filters

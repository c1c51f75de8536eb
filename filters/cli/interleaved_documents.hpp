// JSON documents of images that arrive interleaved, written one after the other.
//
// Each image writes into an Output of its own. One document at a time is current: its text goes out as it comes. The
// text of the others is held, and one that is complete waits until the current one ends. When too much text is held,
// the current document pauses at its next entry (it ends with "continued": true and goes on in a later document), the
// complete ones go out, and the one that holds the most text becomes current.
#pragma once

#include <list>
#include <string>

#include "critpipe/json.hpp"
#include "critpipe/output.hpp"

namespace critpipe::filters {

class InterleavedDocuments {
 public:
  InterleavedDocuments(Output& output, const Limits& limits);
  ~InterleavedDocuments();

  // The output of one more document; it lives until close().
  Output& open();
  // Names the sink that is asked to pause. Requires: it writes into that document and lives until close().
  void bind(Output& document, JsonSink& sink);
  Step close(Output& document);  // the document is complete
  // To be called between entries, the only place where a document can pause.
  void entry_ended(Output& document) {
    if (held_bytes_ > held_documents_bytes) pause_current(document);
  }

 private:
  class Document;

  bool take(Document& document, const char* bytes, std::size_t size);
  bool make_room(Document& document);
  void pause_current(Output& document);
  void write_complete();
  void make_current(Document& document);

  Output& output_;
  Limits limits_;
  std::list<Document> open_;         // in the order in which they were opened
  std::list<std::string> complete_;  // closed while another was current
  Document* current_ = nullptr;
  std::size_t held_bytes_ = 0;
};

// The sink of one of these documents.
class InterleavedJson final : public JsonSink {
 public:
  InterleavedJson(InterleavedDocuments& documents, const JsonOptions& options)
      : InterleavedJson{documents, documents.open(), options} {}
  ~InterleavedJson() override { (void)documents_.close(document_); }
  Step close() override {
    const Step step = JsonSink::close();
    documents_.entry_ended(document_);
    return step;
  }

 private:
  InterleavedJson(InterleavedDocuments& documents, Output& document, const JsonOptions& options)
      : JsonSink{document, options}, documents_{documents}, document_{document} {
    documents.bind(document, *this);
  }

  InterleavedDocuments& documents_;
  Output& document_;
};

}  // namespace critpipe::filters

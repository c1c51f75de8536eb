// A container as JSON.
#include <algorithm>

#include "engines/engine.hpp"

namespace critpipe {

namespace {

void put_networks(JsonWriter& json, const RunningContainer& container) {
  json.key("networks").begin('[');
  for (const ContainerNetwork& one : container.networks) {
    json.begin('{');
    put_name(json, "network", one.network);
    json.key("addresses").begin('[');
    for (const std::string& address : one.addresses) json.text(address);
    json.end(']').key("gateways").begin('[');
    for (const std::string& gateway : one.gateways) json.text(gateway);
    json.end(']').key("mac").text(one.mac).end('}');
  }
  json.end(']');
}

void put_mounts(JsonWriter& json, const RunningContainer& container) {
  json.key("mounts").begin('[');
  for (const RunningMount& one : container.mounts) {
    json.begin('{');
    put_name(json, "mountpoint", one.point);
    json.key("type").text(one.type).key("device").text(one.device);
    put_name(json, "root", one.root);
    if (!one.source.empty()) put_name(json, "source", one.source);
    if (!one.told.empty()) put_name(json, "external", one.told);
    json.end('}');
  }
  json.end(']');
}

}  // namespace

void put_container_name(JsonWriter& json, const RunningContainer& container) {
  json.key("engine").text(container.engine);
  put_name(json, "id", container.id);
  put_name(json, "name", container.name);
  put_name(json, "image", container.image);
  json.key("state").text(container.state);
  if (container.pid) json.key("pid").number(static_cast<unsigned>(container.pid));
  put_name(json, "runtime", container.runtime);
}

void put_container(JsonWriter& json, const RunningContainer& container) {
  put_container_name(json, container);
  put_name(json, "where", container.where);
  json.key("created").text(container.created).key("terminal").boolean(container.has_terminal);
  put_name(json, "rootfs", container.root);
  put_name(json, "bundle_path", container.bundle);
  if (!container.upper.empty()) {
    json.key("overlay").begin('{');
    put_name(json, "lower", container.lower);
    put_name(json, "upper", container.upper);
    put_name(json, "work", container.work).end('}');
  }
  json.key("namespaces").begin('[');
  for (const RunningNamespace& one : container.namespaces) {
    json.begin('{').key("kind").text(one.kind).key("link").text(one.link).key("shared").boolean(one.is_ours);
    if (!one.path.empty()) put_name(json, "path", one.path);
    json.end('}');
  }
  json.end(']').key("cgroups").begin('[');
  for (const RunningCgroup& one : container.cgroups) {
    json.begin('{').key("version").number(one.controllers.empty() ? 2u : 1u);
    json.key("controllers").text(one.controllers);
    put_name(json, "path", one.path).end('}');
  }
  json.end(']');
  put_networks(json, container);
  put_mounts(json, container);
}

std::string container_spec(const RunningContainer& container) {
  return container.bundle.empty() ? std::string{} : small_file(container.bundle + "/config.json");
}

Error read_container(const std::string& path, RunningContainer& container) {
  Error error = parse_container(small_file(path), container);
  if (error) error.image = path;
  return error;
}

Error parse_container(const std::string& text, RunningContainer& container) {
  const JsonAnswer json{text};
  if (!json || json.text({"engine"}).empty())
    return {.reason = Reason::bad_json, .image = "container.json", .name = "it does not say which container it was"};
  container.engine = json.text({"engine"});
  container.id = json.text({"id"});
  container.name = json.text({"name"});
  container.bundle = json.text({"bundle_path"});
  container.where = json.text({"where"});
  json.each({"networks"}, [&](const JsonAnswer& one) {
    container.networks.push_back({.network = one.text({"network"}),
                                  .interface = {},
                                  .addresses = one.texts({"addresses"}),
                                  .gateways = {},
                                  .mac = {}});
  });
  container.has_terminal = json.is_on({"terminal"});
  json.each({"namespaces"}, [&](const JsonAnswer& one) {
    container.namespaces.push_back({one.text({"kind"}), one.text({"link"}), one.text({"path"}), one.is_on({"shared"})});
  });
  json.each({"cgroups"}, [&](const JsonAnswer& one) {
    container.cgroups.push_back({one.text({"controllers"}), one.text({"path"})});
  });
  json.each({"mounts"}, [&](const JsonAnswer& one) {
    container.mounts.push_back({.point = one.text({"mountpoint"}),
                                .type = one.text({"type"}),
                                .device = one.text({"device"}),
                                .root = one.text({"root"}),
                                .source = one.text({"source"}),
                                .told = one.text({"external"})});
  });
  container.inspection = json.json({"inspection"});
  return {};
}

}  // namespace critpipe

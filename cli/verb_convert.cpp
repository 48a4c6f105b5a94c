// vimg convert: what an image holds as a new image of another format.
#include <algorithm>
#include <cerrno>
#include <memory>
#include <ostream>
#include <string>
#include <thread>
#include <utility>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "cli/image_arguments.h"
#include "cli/interrupt.h"
#include "cli/new_image_arguments.h"
#include "cli/progress.h"
#include "cli/source_disk.h"
#include "cli/verb.h"
#include "disk/error.h"
#include "formats/copy.h"

namespace vimg {
namespace {

constexpr unsigned max_threads = 16;  // as qemu-img has it

struct Arguments {
  ImageArguments image;
  std::string path;
  std::string volume;
  NewImageArguments made;
  unsigned threads = 0;  // 0: one for each CPU
  bool compress = false;
  bool out_of_order = false;
  bool progress = false;
  bool quiet = false;
  bool no_flush = false;
};

ShowProgress show_progress(const Arguments& arguments) {
  if (arguments.quiet) {
    return ShowProgress::never;
  }
  return arguments.progress ? ShowProgress::always : ShowProgress::on_terminal;
}

// One reads while another writes, whatever the machine has.
unsigned thread_count(const Arguments& arguments) {
  const unsigned wanted = arguments.threads != 0
                              ? arguments.threads
                              : std::max(2U, std::thread::hardware_concurrency());
  return std::min(wanted, max_threads);
}

NewImage new_image(const Arguments& arguments, const Disk& from) {
  NewImage image = arguments.made.image();
  image.size = from.size();
  image.compress = arguments.compress;
  return image;
}

// Written to as its format wants it: from front to end, or anywhere.
void fill(NewImageFile& file, const NewImage& image, const Disk& from, const DiskPtr& beneath,
          const CopyOptions& options) {
  if (const auto stream = file.stream(image)) {
    copy_disk(from, *stream, options);
    stream->finish();
    return;
  }
  if (image.compress) {
    throw_unsupported("convert", "images of this format cannot be compressed");
  }
  file.create(image);
  const DiskPtr to = file.open(beneath);
  copy_disk(from, *to, options);
  to->flush();
}

ExitCode convert(const Arguments& arguments, const Streams& streams) {
  const FormatDriver& driver = arguments.made.driver();
  const Interrupt interrupt;
  const Image source = open_source(arguments.path, arguments.image, arguments.volume, streams);
  const NewImage image = new_image(arguments, *source.disk);
  const DiskPtr beneath = arguments.made.open_backing();
  NewImageFile file(arguments.made.path, driver, arguments.made.existing());
  Progress progress(streams, show_progress(arguments), source.disk->size());
  CopyOptions options;
  options.beneath = beneath.get();
  options.threads = thread_count(arguments);
  options.in_order = &driver != &raw_driver && !arguments.out_of_order;
  options.progress = [&](std::uint64_t done) { progress.update(done); };
  options.stop = &interrupt.flag();
  fill(file, image, *source.disk, beneath, options);
  file.finish(arguments.no_flush ? NewHostFile::Flush::no : NewHostFile::Flush::yes);
  progress.update(source.disk->size());
  return ExitCode::ok;
}

void declare_target(CLI::App& command, Arguments& arguments) {
  arguments.made.format = "raw";
  command
      .add_option("-O,--output-format", arguments.made.format, "The format of OUT, by default raw")
      ->type_name("FORMAT");
  arguments.made.declare(command);
  command.add_flag("-c,--compress", arguments.compress, "Compress what is written");
}

Verb::Action declare(CLI::App& command) {
  const auto arguments = std::make_shared<Arguments>();
  command.add_option("IN", arguments->path, "The image to read")->required();
  command.add_option("OUT", arguments->made.path, "The new image")->required();
  arguments->image.declare(command);
  command.add_option("--volume", arguments->volume, "Read this volume of the image only")
      ->type_name("VOLUME");
  declare_target(command, *arguments);
  command.add_option("-m,--threads", arguments->threads, "How many threads copy")
      ->type_name("COUNT")
      ->check(CLI::Range(1U, max_threads));
  command.add_flag("-W", arguments->out_of_order, "Do not keep the order of the disk in OUT");
  command.add_flag("-p,--progress", arguments->progress, "Show progress, even if to no terminal");
  command.add_flag("-q,--quiet", arguments->quiet, "Never show progress");
  command.add_flag("--no-flush", arguments->no_flush,
                   "Do not wait until OUT would survive a power cut");
  return [arguments](const Streams& streams) { return convert(*arguments, streams); };
}

}  // namespace

extern const Verb convert_verb;
const Verb convert_verb{"convert", "Write an image anew in another format", declare};

}  // namespace vimg

// faces.hpp, as kiln.hpp brings it along: who is on frames, somebody made known, forgotten and
// saved, and what goes wrong. Prints the names on the first frame, before and after.
//   faces FACES.plan DETECTOR.plan WIDTH HEIGHT OUT.plan FRAME.nv21...
#include <kiln/kiln.hpp>

#include <cmath>
#include <cstdio>
#include <fstream>
#include <iterator>

#define NEED(condition)                                                                            \
    if (!(condition)) {                                                                            \
        std::fprintf(stderr, "faces.cpp:%d: %s\n", __LINE__, #condition);                          \
        return 1;                                                                                  \
    }

typedef std::vector<char> bytes;

static bytes content(const char *path) {
    std::ifstream file(path, std::ios::binary);
    return bytes(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
}

static kiln::namer namer_that_outlives_its_plan(const char *path) {
    auto plan = kiln::plan::open(path);
    auto namer = kiln::namer::open(*plan);
    return std::move(*namer);
}

static int tell(kiln::namer &namer, const kiln_image &frame) {
    auto faces = namer.run(frame);
    NEED(faces && !faces->empty());
    for (const kiln::named_face &one : *faces) {
        std::printf("%s %s\n", one.known ? "known" : "unknown", one.name.c_str());
        NEED(one.known == (one.similarity >= one.asked) && one.face.right > one.face.left);
    }
    return 0;
}

// A gallery by itself: of features of any kind.
static int galleries() {
    auto made = kiln::people::create(4);
    NEED(made && made->features() == 4 && made->size() == 0);
    kiln::people people = std::move(*made);
    const float ada[8] = {1, 0, 0, 0, 1, 0.1f, 0, 0}, bob[4] = {0, 1, 0, 0};
    NEED(people.enrol("ada", ada) && people.enrol("bob", bob));
    NEED(people.contains("ada") && people.names() == std::vector<std::string>({"ada", "bob"}));
    NEED(people.name(7).empty());
    auto threshold = people.decide();
    NEED(threshold && threshold->groups == 2);
    auto verdict = people.judge(kiln::span<const float>(ada, 4), threshold->similarity);
    NEED(verdict && verdict->known && verdict->person == 0 && std::isnan(verdict->probability));
    NEED(people.correct("ada", kiln::span<const float>(ada, 4)));
    verdict = people.judge(kiln::span<const float>(ada, 4), threshold->similarity);
    NEED(verdict && !verdict->known);
    NEED(people.add_stranger(bob, 1) && people.rename("bob", "ben") && people.forget("ada"));
    NEED(people.size() == 1 && people.name(0) == "ben");
    kiln::status wrong = people.forget("ada");
    NEED(!wrong && wrong.message.find("ada") != std::string::npos);
    wrong = people.enrol("cy", kiln::span<const float>(ada, 3));
    NEED(!wrong && wrong.code == KILN_ERROR_ARGUMENT);
    NEED(!people.judge(kiln::span<const float>(ada, 3), 0) && !people.decide(0.001));
    NEED(!kiln::people::create(0));
    return 0;
}

static int answers(const kiln::plan &plan, const char *detector_path, const kiln_image &frame) {
    auto network = plan.cut();
    NEED(network && network->outputs() == 1);
    auto classes = kiln::session::create(plan), features = kiln::session::create(*network);
    NEED(classes && features);
    auto best = kiln::classify(*classes, frame, 2);
    NEED(best && best->size() == 2 && (*best)[0].score >= (*best)[1].score);
    NEED((*best)[0].label == plan.labels()[(*best)[0].index]);
    auto row = kiln::embed(*features, frame);
    NEED(row && std::fabs(kiln::similarity(*row, *row) - 1) < 1e-5f);
    NEED(kiln::similarity(*row, std::vector<float>(3)) == 0);
    auto own = kiln::plan::open(detector_path);
    auto apart = kiln::detector::create(*own), inside = kiln::detector::open_bundled(plan);
    NEED(apart && inside && apart->describe().points);
    auto a = apart->find(frame), b = inside->find(frame);
    NEED(a && b && !a->empty() && a->size() == b->size() && (*a)[0].left == (*b)[0].left);
    std::vector<std::uint8_t> crop(64 * 64 * 3);
    NEED(kiln::crop_face(frame, (*a)[0], 64, 64, crop));
    NEED(crop != std::vector<std::uint8_t>(crop.size()));
    NEED(!kiln::crop_face(frame, (*a)[0], 65, 64, crop));
    NEED(!kiln::detector::create(plan) && !kiln::detector::open_bundled(*own));
    NEED(!kiln::namer::open(*own) && !kiln::people::open(*own));
    NEED(kiln::namer::open(plan, nullptr, *own));
    return 0;
}

int main(int argc, char **argv) {
    NEED(argc > 6);
    const unsigned width = static_cast<unsigned>(std::atoi(argv[3]));
    const unsigned height = static_cast<unsigned>(std::atoi(argv[4]));
    std::vector<bytes> pixels;
    std::vector<kiln_image> frames;
    for (int k = 6; k < argc; k++) {
        pixels.push_back(content(argv[k]));
        NEED(pixels.back().size() == width * height * 3 / 2);
    }
    for (const bytes &one : pixels) {
        frames.push_back(kiln::image(KILN_IMAGE_NV21, width, height,
                                     reinterpret_cast<const std::uint8_t *>(one.data()), width));
    }
    auto plan = kiln::plan::open(argv[1]);
    NEED(plan && galleries() == 0 && answers(*plan, argv[2], frames[0]) == 0);
    kiln::namer namer = namer_that_outlives_its_plan(argv[1]);
    NEED(tell(namer, frames[0]) == 0);
    NEED(namer.enrol("felix", frames) && tell(namer, frames[0]) == 0);
    kiln::people known = namer.gallery();
    namer = namer_that_outlives_its_plan(argv[1]); // the other lives on with its people
    NEED(known.contains("felix") && !namer.gallery().contains("felix"));
    NEED(known.save(*plan, argv[5]));
    auto again = kiln::people::open(*kiln::plan::open(argv[5]));
    NEED(again && again->names() == known.names());
    kiln_image none = kiln_image();
    kiln::status wrong = namer.enrol("nobody", kiln::span<const kiln_image>(&none, 1));
    NEED(!wrong && wrong.code == KILN_ERROR_ARGUMENT && !namer.run(none));
    return 0;
}

// kiln.hpp: a network's answer to zeros, as raw floats, and what goes wrong.
//   wrapper NET.plan
#include <kiln/kiln.hpp>

#include <array>
#include <cstdio>
#include <thread>

#define NEED(condition)                                                                            \
    if (!(condition)) {                                                                            \
        std::fprintf(stderr, "wrapper.cpp:%d: %s\n", __LINE__, #condition);                        \
        return 1;                                                                                  \
    }

static kiln::session session_that_outlives_its_plan(const char *path) {
    auto plan = kiln::plan::open(path);
    auto session = kiln::session::create(*plan, kiln::session_options(2));
    return std::move(*session);
}

static int errors(const char *path) {
    auto missing = kiln::plan::open("/nowhere");
    NEED(!missing && missing.error().code == KILN_ERROR_IO);
    NEED(missing.error().message.find("/nowhere") != std::string::npos);
#ifdef KILN_EXCEPTIONS
    bool thrown = false;
    try {
        (void)missing.value();
    } catch (const kiln::exception &e) {
        thrown = e.code == KILN_ERROR_IO;
    }
    NEED(thrown);
#endif
    static const unsigned char noise[64] = {1};
    auto damaged = kiln::plan::open(kiln::span<const unsigned char>(noise));
    NEED(!damaged && damaged.error().code != KILN_OK);
    auto plan = kiln::plan::open(path);
    auto many = kiln::session::create(*plan, kiln::session_options(100000));
    NEED(!many && many.error().code == KILN_ERROR_ARGUMENT);
    return 0;
}

int main(int argc, char **argv) {
    NEED(argc == 2 && errors(argv[1]) == 0);
    auto plan = kiln::plan::open(argv[1]);
    NEED(plan && plan->inputs() == 1 && plan->outputs() == 1);
    const kiln::tensor_info in = plan->input(0), out = plan->output(0);
    NEED(in.shape().size() == 4 && in.shape()[1] == 3);
    NEED(plan->input(7).rank == 0 && plan->input(7).elements() == 0);
    NEED(plan->labels().size() == kiln_plan_label_count(plan->get()));
    const std::vector<float> x(in.elements());
    std::vector<float> y(out.elements()), again(out.elements());
    kiln::session session = session_that_outlives_its_plan(argv[1]);
    NEED(session.run(x, y));
    std::thread(&kiln::session::cancel, &session).join();
    kiln::status cancelled = session.run(x, again);
    NEED(!cancelled && cancelled.code == KILN_ERROR_CANCELLED);
    kiln::session moved = std::move(session);
    NEED(moved.run({kiln::session::buffer(kiln::span<const float>(x))},
                   {kiln::session::buffer(kiln::span<float>(again))}));
    NEED(y == again && session.get() == nullptr);
    moved = session_that_outlives_its_plan(argv[1]);
    NEED(moved.run(x, again) && y == again);
    std::array<float, 2> small = {{0, 0}};
    kiln::status wrong = moved.run(x, small);
    NEED(!wrong && wrong.code == KILN_ERROR_ARGUMENT && !wrong.message.empty());
    std::fwrite(y.data(), sizeof(float), y.size(), stdout);
    return 0;
}

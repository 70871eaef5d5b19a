// A network's answer to zeros, as raw floats; with the C interface.
#include <cstdio>
#include <kiln/compile.h>
#include <kiln/namer.h>
#include <kiln/train.h>
#include <vector>

int main(int argc, char **argv) {
    kiln_plan *plan = nullptr;
    kiln_session *session = nullptr;
    kiln_error error;
    kiln_tensor_info in, out;
    kiln_session_options options;
    kiln_session_options_init(&options);
    options.threads = 2;
    if (argc != 2 || kiln_plan_open(argv[1], nullptr, &plan, &error) != KILN_OK ||
        kiln_session_create(plan, &options, &session, &error) != KILN_OK) {
        return 1;
    }
    kiln_plan_input(plan, 0, &in);
    kiln_plan_output(plan, 0, &out);
    std::vector<char> x(in.bytes), y(out.bytes);
    kiln_buffer input = {x.data(), x.size()}, output = {y.data(), y.size()};
    kiln_status status = kiln_session_run(session, 1, &input, 1, &output, 1, &error);
    std::fwrite(y.data(), 1, y.size(), stdout);
    kiln_session_destroy(session);
    kiln_plan_close(plan);
    return status == KILN_OK ? 0 : 1;
}

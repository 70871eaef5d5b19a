#include <kiln/compile.h>

int main(int argc, char **argv) {
    return argc == 3 && kiln_compile(argv[1], argv[2], NULL, NULL, NULL) == KILN_OK ? 0 : 1;
}

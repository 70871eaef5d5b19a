/* The commands in the order in which `kiln help` lists them: COMMAND(name) is command_name. */
COMMAND(compile)
COMMAND(inspect)
COMMAND(run)
COMMAND(verify)
COMMAND(bench)
COMMAND(tune)
#ifdef KILN_WITH_TRAINING /* these stand on train.h, which may be left out of the runtime */
COMMAND(train)
COMMAND(evaluate)
COMMAND(classify)
COMMAND(embed)
COMMAND(compare)
COMMAND(view)
#endif
COMMAND(export)

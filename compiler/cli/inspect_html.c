/* The plan as one page: the arena over time as a picture, and the layers as a table. Nothing is
 * loaded from elsewhere and nothing runs. */
#include "compiler/cli/inspect.h"

#include <string.h>

#define CHART_WIDTH 1100.0
#define CHART_HEIGHT 420.0

static const char style[] =
    "body{font:14px system-ui,sans-serif;margin:24px;color:#1b1f24;background:#fff}"
    "h1{font-size:22px}h2{font-size:17px;margin-top:28px}"
    "table{border-collapse:collapse;width:100%}"
    "th,td{padding:4px 10px;border-bottom:1px solid #e3e6ea;text-align:left;white-space:nowrap}"
    "th{background:#f4f6f8;position:sticky;top:0}td.n{text-align:right;font-variant-numeric:"
    "tabular-nums}dl{display:grid;grid-template-columns:max-content 1fr;gap:2px 16px}dt{color:#666}"
    "dd{margin:0}svg{background:#fafbfc;border:1px solid #e3e6ea;max-width:100%;height:auto}"
    "rect.s{stroke:#fff;stroke-width:.5}rect.s:hover{stroke:#000;stroke-width:1.5}";

/* The first name among the tensors of a storage. */
static const char *name_of_storage(const kiln_plan_view *v, size_t storage) {
    for (size_t t = 0; t < v->tensor_count; t++) {
        if (v->tensors[t].place == KILN_PLACE_ARENA && v->tensors[t].storage == storage &&
            v->strings[v->tensors[t].name] != '\0') {
            return v->strings + v->tensors[t].name;
        }
    }
    return "(temporary)";
}

static void chart(FILE *out, const kiln_plan_view *v) {
    double steps = v->step_count > 0 ? (double)v->step_count : 1;
    double arena = v->header->arena_bytes > 0 ? (double)v->header->arena_bytes : 1;
    double bound = CHART_HEIGHT * (1 - (double)v->header->lower_bound_bytes / arena);
    char text[32];
    fprintf(out, "<svg viewBox=\"-70 -10 %g %g\" width=\"%g\" role=\"img\">", CHART_WIDTH + 90,
            CHART_HEIGHT + 50, CHART_WIDTH + 90);
    for (size_t k = 0; k < v->storage_count; k++) {
        const kiln_plan_storage *s = &v->storages[k];
        double height = CHART_HEIGHT * (double)s->bytes / arena;
        fprintf(out,
                "<rect class=\"s\" x=\"%.2f\" y=\"%.2f\" width=\"%.2f\" height=\"%.2f\" "
                "fill=\"hsl(%zu 55%% 62%%)\"><title>",
                CHART_WIDTH * s->first_step / steps,
                CHART_HEIGHT * (1 - (double)s->offset / arena) - height,
                CHART_WIDTH * (s->last_step - s->first_step + 1) / steps, height, k * 137 % 360);
        html_text(out, name_of_storage(v, k));
        fprintf(out, ": %s at %llu, steps %u to %u</title></rect>",
                human_bytes(s->bytes, text, sizeof text), (unsigned long long)s->offset,
                s->first_step, s->last_step);
    }
    fprintf(out,
            "<line x1=\"0\" x2=\"%g\" y1=\"%.2f\" y2=\"%.2f\" stroke=\"#c0392b\" "
            "stroke-dasharray=\"6 4\"/><text x=\"-6\" y=\"%.2f\" font-size=\"11\" "
            "text-anchor=\"end\" fill=\"#c0392b\">%s</text>",
            CHART_WIDTH, bound, bound, bound + 4,
            human_bytes(v->header->lower_bound_bytes, text, sizeof text));
    fprintf(out,
            "<text x=\"-6\" y=\"%g\" font-size=\"11\" text-anchor=\"end\">0</text>"
            "<text x=\"0\" y=\"%g\" font-size=\"11\">step 0</text>"
            "<text x=\"%g\" y=\"%g\" font-size=\"11\" text-anchor=\"end\">step %zu</text></svg>\n",
            CHART_HEIGHT, CHART_HEIGHT + 16, CHART_WIDTH, CHART_HEIGHT + 16,
            v->step_count > 0 ? v->step_count - 1 : 0);
}

static void summary(FILE *out, const kiln_plan *plan, const kiln_plan_view *v) {
    char text[32];
    uint64_t parameters = 0, macs = 0;
    for (size_t k = 0; k < v->step_count; k++) {
        parameters += step_parameters(v, &v->steps[k]);
        macs += kiln_plan_step_macs(plan, k);
    }
    fputs("<dl>", out);
    for (size_t k = 0; k < v->metadata_count; k++) {
        fputs("<dt>", out);
        html_text(out, v->strings + v->metadata[k].key);
        fputs("</dt><dd>", out);
        html_text(out, v->strings + v->metadata[k].value);
        fputs("</dd>", out);
    }
    fprintf(out, "<dt>parameters</dt><dd>%llu</dd><dt>multiply-accumulates</dt><dd>%.3f G</dd>",
            (unsigned long long)parameters, (double)macs / 1e9);
    fprintf(out, "<dt>arena</dt><dd>%s</dd>",
            human_bytes(v->header->arena_bytes, text, sizeof text));
    fprintf(out, "<dt>lower bound</dt><dd>%s</dd>",
            human_bytes(v->header->lower_bound_bytes, text, sizeof text));
    fprintf(out, "<dt>without reuse</dt><dd>%s</dd></dl>\n",
            human_bytes(v->header->no_reuse_bytes, text, sizeof text));
}

static void table(FILE *out, const kiln_plan *plan, const kiln_plan_view *v) {
    fputs("<table><thead><tr><th>Step<th>Layer<th>ONNX operators<th>Kernel<th>Computed by<th>Output"
          "<th>Parameters<th>MACs<th>Arena offset</tr></thead><tbody>\n",
          out);
    for (size_t k = 0; k < v->step_count; k++) {
        const kiln_plan_step *s = &v->steps[k];
        const kiln_plan_tensor_record *y = step_output(v, s);
        const kiln_kernel_traits *traits = kiln_kernel_describe(s->kernel);
        char shape[96], how[64];
        fprintf(out, "<tr><td class=\"n\">%zu<td>", k);
        html_text(out, v->strings + s->name);
        fputs("<td>", out);
        html_text(out, v->strings + s->origin);
        fprintf(out, "<td>%s<td>%s<td>%s<td class=\"n\">%llu<td class=\"n\">%llu<td class=\"n\">",
                traits->name, computation_text(plan, k, how, sizeof how),
                shape_text(y->dims, y->rank, y->batched != 0, shape, sizeof shape),
                (unsigned long long)step_parameters(v, s),
                (unsigned long long)kiln_plan_step_macs(plan, k));
        if (y->place == KILN_PLACE_ARENA) {
            fprintf(out, "%llu", (unsigned long long)arena_offset(v, y));
        }
        fputs("</tr>\n", out);
    }
    fputs("</tbody></table>\n", out);
}

kiln_status inspect_html(const kiln_plan *plan, const kiln_plan_view *v, const char *name,
                         const char *path, kiln_error *error) {
    file_writer file;
    kiln_status status = file_begin(&file, path, error);
    if (status != KILN_OK) {
        return status;
    }
    const char *slash = strrchr(name, '/');
    FILE *out = file.file;
    fputs("<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>", out);
    html_text(out, slash != NULL ? slash + 1 : name);
    fprintf(out, "</title><link rel=\"icon\" href=\"data:,\"><style>%s</style></head><body><h1>",
            style);
    html_text(out, slash != NULL ? slash + 1 : name);
    fputs("</h1>\n", out);
    summary(out, plan, v);
    fputs(
        "<h2>Arena over time</h2><p>Each block is a piece of memory: its height is its size, its "
        "width the steps during which it is in use. Dashed: the lower bound. Point at a block for "
        "its name.</p>\n",
        out);
    chart(out, v);
    fputs("<h2>Layers</h2>\n", out);
    table(out, plan, v);
    fputs("</body></html>\n", out);
    return file_end(&file, KILN_OK, error);
}

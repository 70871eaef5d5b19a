package org.kiln.camera;

import android.content.Context;
import androidx.camera.core.ImageProxy;
import java.io.File;
import java.io.IOException;
import java.util.List;
import org.kiln.KilnFace;
import org.kiln.KilnNamer;
import org.kiln.KilnPlan;

/** The people whom this app knows: those of its asset, or of the plan that it saved after that. */
final class People implements AutoCloseable {
    private final File saved;
    private final KilnPlan plan;
    private final KilnNamer namer;

    People(Context context) throws IOException {
        saved = new File(context.getFilesDir(), "faces.plan");
        File packed = new File(context.getCodeCacheDir(), "faces.packed");
        plan = saved.exists() ? KilnPlan.open(saved, packed)
            : KilnPlan.fromAsset(context.getAssets(), "faces.plan", packed);
        try {
            namer = plan.namer(new KilnNamer.Options().threads(2));
        } catch (RuntimeException e) {
            plan.close();
            throw e;
        }
    }

    List<KilnFace> recognise(ImageProxy frame) {
        return namer.recognise(frame);
    }

    void enrol(String name, ImageProxy frame) {
        namer.enrol(name, frame);
        namer.save(saved);
    }

    @Override
    public void close() {
        namer.close();
        plan.close();
    }
}

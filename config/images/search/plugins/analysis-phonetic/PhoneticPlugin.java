package deployd.analysis;

import any.AnalysisModule.AnalysisProvider;
import any.AnalysisPlugin;
import any.Plugin;
import any.Settings;
import any.TokenFilterFactory;
import java.util.Arrays;
import java.util.Map;
import java.util.function.Supplier;
import java.util.function.UnaryOperator;
import org.apache.commons.codec.Encoder;
import org.apache.commons.codec.language.Caverphone1;
import org.apache.commons.codec.language.Caverphone2;
import org.apache.commons.codec.language.ColognePhonetic;
import org.apache.commons.codec.language.Metaphone;
import org.apache.commons.codec.language.Nysiis;
import org.apache.commons.codec.language.RefinedSoundex;
import org.apache.commons.codec.language.Soundex;
import org.apache.commons.codec.language.bm.Languages.LanguageSet;
import org.apache.commons.codec.language.bm.NameType;
import org.apache.commons.codec.language.bm.PhoneticEngine;
import org.apache.commons.codec.language.bm.RuleType;
import org.apache.lucene.analysis.TokenStream;
import org.apache.lucene.analysis.phonetic.BeiderMorseFilter;
import org.apache.lucene.analysis.phonetic.DaitchMokotoffSoundexFilter;
import org.apache.lucene.analysis.phonetic.DoubleMetaphoneFilter;
import org.apache.lucene.analysis.phonetic.PhoneticFilter;

/** analysis-phonetic: words that sound alike. */
public final class PhoneticPlugin extends Plugin implements AnalysisPlugin {
    private static final Map<String, Supplier<Encoder>> ENCODERS = Map.of(
        "caverphone1", Caverphone1::new, "caverphone2", Caverphone2::new, "caverphone", Caverphone2::new,
        "cologne", ColognePhonetic::new, "nysiis", Nysiis::new, "refined_soundex", RefinedSoundex::new,
        "refinedsoundex", RefinedSoundex::new, "soundex", Soundex::new, "metaphone", Metaphone::new
    );

    @Override
    public Map<String, AnalysisProvider<TokenFilterFactory>> getTokenFilters() {
        return Map.of("phonetic", Factories.filter(PhoneticPlugin::filter));
    }

    private static UnaryOperator<TokenStream> filter(Settings settings) {
        String name = settings.get("encoder", "metaphone");
        boolean beside = !settings.getAsBoolean("replace", true);
        int longest = settings.getAsInt("max_code_len", 4);
        switch (name) {
            case "double_metaphone":
            case "doublemetaphone":
                return stream -> new DoubleMetaphoneFilter(stream, longest, beside);
            case "daitch_mokotoff":
                return stream -> new DaitchMokotoffSoundexFilter(stream, beside);
            case "beider_morse":
            case "beidermorse":
                return beiderMorse(settings);
            default:
                Supplier<Encoder> encoder = ENCODERS.get(name);
                if (encoder == null) {
                    throw new IllegalArgumentException("phonetic: there is no encoder " + name);
                }
                return stream -> new PhoneticFilter(stream, encoder.get(), beside);
        }
    }

    private static UnaryOperator<TokenStream> beiderMorse(Settings settings) {
        NameType names = NameType.valueOf(settings.get("name_type", "generic").toUpperCase(java.util.Locale.ROOT));
        RuleType rules = RuleType.valueOf(settings.get("rule_type", "approx").toUpperCase(java.util.Locale.ROOT));
        PhoneticEngine engine = new PhoneticEngine(names, rules, true);
        java.util.List<String> said = settings.getAsList("languageset");
        LanguageSet languages = said.isEmpty() || said.equals(Arrays.asList("auto"))
            ? null : LanguageSet.from(new java.util.HashSet<>(said));
        return stream -> new BeiderMorseFilter(stream, engine, languages);
    }
}

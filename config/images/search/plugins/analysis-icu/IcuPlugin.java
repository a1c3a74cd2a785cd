package deployd.analysis;

import any.AnalysisModule.AnalysisProvider;
import any.AnalysisPlugin;
import any.AnalyzerProvider;
import any.CharFilterFactory;
import any.Plugin;
import any.Settings;
import any.TokenFilterFactory;
import any.TokenizerFactory;
import com.ibm.icu.text.FilteredNormalizer2;
import com.ibm.icu.text.Normalizer2;
import com.ibm.icu.text.Transliterator;
import com.ibm.icu.text.UnicodeSet;
import java.io.Reader;
import java.util.Map;
import org.apache.lucene.analysis.Analyzer;
import org.apache.lucene.analysis.Tokenizer;
import org.apache.lucene.analysis.icu.ICUFoldingFilter;
import org.apache.lucene.analysis.icu.ICUNormalizer2CharFilter;
import org.apache.lucene.analysis.icu.ICUNormalizer2Filter;
import org.apache.lucene.analysis.icu.ICUTransformFilter;
import org.apache.lucene.analysis.icu.segmentation.ICUTokenizer;

/** analysis-icu: text of any script, by the rules of Unicode. */
public final class IcuPlugin extends Plugin implements AnalysisPlugin {
    @Override
    public Map<String, AnalysisProvider<CharFilterFactory>> getCharFilters() {
        return Map.of("icu_normalizer", Factories.characters(settings -> {
            Normalizer2 normalizer = normalizer(settings);
            return reader -> new ICUNormalizer2CharFilter(reader, normalizer);
        }));
    }

    @Override
    public Map<String, AnalysisProvider<TokenFilterFactory>> getTokenFilters() {
        return Map.of(
            "icu_normalizer", Factories.normalizing(settings -> {
                Normalizer2 normalizer = normalizer(settings);
                return stream -> new ICUNormalizer2Filter(stream, normalizer);
            }),
            "icu_folding", Factories.normalizing(settings -> {
                Normalizer2 normalizer = within(ICUFoldingFilter.NORMALIZER, settings);
                return stream -> new ICUNormalizer2Filter(stream, normalizer);
            }),
            "icu_transform", Factories.normalizing(settings -> {
                boolean back = settings.get("dir", "forward").equals("reverse");
                Transliterator way = Transliterator.getInstance(
                    settings.get("id", "Null"), back ? Transliterator.REVERSE : Transliterator.FORWARD
                );
                return stream -> new ICUTransformFilter(stream, way);
            })
        );
    }

    @Override
    public Map<String, AnalysisProvider<TokenizerFactory>> getTokenizers() {
        return Map.of("icu_tokenizer", Factories.tokenizer(settings -> {
            if (settings.hasValue("rule_files")) {
                throw new IllegalArgumentException("icu_tokenizer: rule_files is not supported by this plugin");
            }
            return ICUTokenizer::new;
        }));
    }

    @Override
    public Map<String, AnalysisProvider<AnalyzerProvider<? extends Analyzer>>> getAnalyzers() {
        return Map.of("icu_analyzer", Factories.analyzer(IcuAnalyzer::new));
    }

    private static Normalizer2 normalizer(Settings settings) {
        String mode = settings.get("mode", "compose");
        if (!mode.equals("compose") && !mode.equals("decompose")) {
            throw new IllegalArgumentException("icu_normalizer: mode is compose or decompose, not " + mode);
        }
        String name = settings.get("name", "nfkc_cf");
        Normalizer2.Mode how = mode.equals("compose") ? Normalizer2.Mode.COMPOSE : Normalizer2.Mode.DECOMPOSE;
        return within(Normalizer2.getInstance(null, name, how), settings);
    }

    private static Normalizer2 within(Normalizer2 normalizer, Settings settings) {
        String set = settings.get("unicode_set_filter");
        return set == null ? normalizer : new FilteredNormalizer2(normalizer, new UnicodeSet(set).freeze());
    }

    private static final class IcuAnalyzer extends Analyzer {
        private final Normalizer2 normalizer;

        IcuAnalyzer(Settings settings) {
            String method = settings.get("method", "nfkc_cf");
            this.normalizer = normalizer(Settings.builder().put(settings).put("name", method).build());
        }

        @Override
        protected Reader initReader(String field, Reader reader) {
            return new ICUNormalizer2CharFilter(reader, normalizer);
        }

        @Override
        protected TokenStreamComponents createComponents(String field) {
            Tokenizer source = new ICUTokenizer();
            return new TokenStreamComponents(source, new ICUFoldingFilter(source));
        }
    }
}
